// Plays frames that are all cut from one sheet. State is kept per element: the default export runs again on every
// change of data.
const players = new WeakMap()
const SPEEDS = [5, 10, 20, 30, 60] // frames a second
const TALLEST = 0.44 // of the window's height, that the picture may take
const ABOVE_ROWS = 0.22 // the same where rows of frames stand below it
const SMALLEST = 200 // CSS pixels of the picture's room, at least
const WIDEST_KEY = 44 // CSS pixels of a key frame over the scrubber
const MANY = 10 // frames that Page Up and Down skip
const LIKES = "latent-explorer player"

Object.assign(ICONS, {
  swing: "M4 4 L1.5 6.5 L4 9 M1.5 6.5 H14.5 M12 7.5 L14.5 10 L12 12.5 M14.5 10 H1.5",
  open: "M9 2 H14 V7 M14 2 L8 8 M12 10 V14 H2 V4 H6",
})

function readLikes() {
  const likes = { soft: false, swing: false, speed: 20 }
  try {
    Object.assign(likes, JSON.parse(localStorage.getItem(LIKES)))
  } catch {
    // no storage, or not ours
  }
  return SPEEDS.includes(likes.speed) ? likes : { ...likes, speed: 20 }
}

async function decode(base64) {
  const image = new Image()
  image.src = `data:image/png;base64,${base64}`
  await image.decode()
  return image
}

// A canvas for one frame of a sheet.
class View {
  constructor(kind) {
    this.node = make("figure", `view ${kind}`)
    this.glass = make("div", "glass")
    this.canvas = make("canvas")
    this.canvas.setAttribute("role", "img")
    this.caption = make("figcaption")
    this.glass.append(this.canvas)
    this.node.append(this.glass, this.caption)
  }

  draw(sheet, { size: [width, height], columns }, frame, soft) {
    const times = soft ? Math.max(1, Math.ceil(512 / width)) : 1
    if (this.canvas.width !== width * times) this.canvas.width = width * times
    if (this.canvas.height !== height * times) this.canvas.height = height * times
    this.canvas.classList.toggle("soft", soft)
    const context = this.canvas.getContext("2d")
    context.imageSmoothingEnabled = soft
    context.imageSmoothingQuality = "high"
    const x = (frame % columns) * width
    const y = Math.floor(frame / columns) * height
    context.drawImage(sheet, x, y, width, height, 0, 0, width * times, height * times)
  }

  // Every pixel covers the same whole number of screen pixels.
  fit(room, [width, height]) {
    const ratio = window.devicePixelRatio || 1
    const times = Math.max(1, Math.floor((room * ratio) / Math.max(width, height)))
    this.canvas.style.width = `${(times * width) / ratio}px`
    this.canvas.style.height = `${(times * height) / ratio}px`
  }
}

class Player {
  constructor(root) {
    this.root = root
    this.likes = readLikes()
    this.playing = !matchMedia("(prefers-reduced-motion: reduce)").matches
    this.position = 0 // in frames, whole or not
    this.way = 1
    this.frame = -1 // the one that is drawn
    this.read = new Map() // base64 -> image
    this.sheets = [] // of the reels
    this.ends = []
    this.#build()
    this.#listen()
    this.unwatch = onResize(root, () => this.#fit())
    this.#play(this.playing)
  }

  close() {
    this.unwatch()
    cancelAnimationFrame(this.next)
  }

  #build() {
    this.stage = make("div", "views")
    this.views = []
    this.rows = new Rows(frame => this.#step(frame))
    this.keys = make("div", "keys")
    let resume = false
    this.track = new Track({
      start: () => {
        resume = this.playing
        this.#play(false)
      },
      move: frame => this.#seek(frame),
      end: () => this.#play(resume),
    })
    const scrub = make("div", "scrub")
    scrub.append(this.keys, this.track.node)
    this.tools = Object.fromEntries(["play", "swing", "soft", "open"].map(name => [name, makeTool(name)]))
    this.tools.play.classList.add("main")
    this.speed = make("select")
    this.at = make("span", "at")
    const bar = make("div", "bar")
    const { play, swing, soft, open } = this.tools
    bar.append(play, this.at, this.speed, swing, soft, open)
    this.root.replaceChildren(this.stage, scrub, bar, this.rows.node)
  }

  #listen() {
    this.stage.addEventListener("click", event => {
      if (!event.target.closest(".glass")) return
      this.root.focus({ preventScroll: true }) // so that the keys work from here on
      this.#play(!this.playing)
    })
    this.tools.play.addEventListener("click", () => this.#play(!this.playing))
    this.tools.open.addEventListener("click", () => this.open(this.frame))
    for (const name of ["swing", "soft"]) {
      this.tools[name].addEventListener("click", () => this.#like({ [name]: !this.likes[name] }))
    }
    this.speed.addEventListener("change", () => this.#like({ speed: Number(this.speed.value) }))
    this.root.addEventListener("keydown", event => this.#key(event))
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select")) return
    const frame = keyLeads(event, this.frame, this.last, MANY)
    if (event.key === " " && !event.target.closest("button")) this.#play(!this.playing)
    else if (frame !== undefined) this.#step(frame)
    else return
    event.preventDefault()
  }

  #step(frame) {
    this.#play(false)
    this.#seek(frame)
  }

  #like(changes) {
    this.likes = { ...this.likes, ...changes }
    try {
      localStorage.setItem(LIKES, JSON.stringify(this.likes))
    } catch {
      // a browser without storage forgets them
    }
    this.#showLikes()
    this.#draw(true)
  }

  #showLikes() {
    const { texts } = this.data
    for (const name of ["swing", "soft"]) this.tools[name].setAttribute("aria-pressed", String(this.likes[name]))
    this.speed.value = this.likes.speed
    nameTool(this.tools.swing, texts.swing)
  }

  // Data from Python ----------------------------------------------------------------------------------------

  get last() {
    return this.data.count - 1
  }

  async update(data) {
    const before = this.data
    this.data = data
    if (before && before.count !== data.count) this.position *= this.last / Math.max(1, before.count - 1)
    this.#describe()
    this.#fit()
    try {
      await this.#load(data)
    } catch {
      return // a damaged sheet leaves the picture as it was
    }
    if (this.data !== data) return // newer ones are on their way
    this.#drawKeys()
    this.rows.draw(this.sheets, this.ends)
    this.#draw(true)
    this.root.dataset.ready = "true"
  }

  // Sheets that are there already are not read again.
  async #load(data) {
    const read = text => (this.read.has(text) ? this.read.get(text) : decode(text))
    const texts = [...data.reels.map(reel => reel.frames), ...data.ends]
    const images = await Promise.all(texts.map(read))
    if (this.data !== data) return
    this.read = new Map(texts.map((text, i) => [text, images[i]]))
    this.sheets = images.slice(0, data.reels.length)
    this.ends = images.slice(data.reels.length)
  }

  #describe() {
    const { texts, marks, names, label, reels } = this.data
    this.root.setAttribute("aria-label", label)
    if (this.views.length !== reels.length) {
      this.views = reels.map((_, i) => this.views[i] ?? new View(i ? "beside" : "made"))
      this.stage.replaceChildren(...this.views.map(view => view.node))
    }
    this.views.forEach((view, i) => {
      view.caption.textContent = reels[i].name
      view.caption.hidden = reels.length < 2
      view.canvas.setAttribute("aria-label", i ? reels[i].name : label)
    })
    this.rows.describe(this.data)
    this.tools.open.hidden = !this.data.opens
    this.track.last = this.last
    this.track.describe({ label: texts.track, low: 1, high: this.data.count })
    this.track.mark(marks)
    for (const name of ["soft", "open"]) nameTool(this.tools[name], texts[name])
    this.speed.setAttribute("aria-label", texts.speed)
    this.speed.replaceChildren(...SPEEDS.map(n => new Option(fill(texts.rate, { n }), n)))
    const [width, height] = this.data.size
    this.buttons = marks.map((share, index) => {
      const button = make("button", "key", { type: "button" })
      button.append(make("canvas", "", { width, height }))
      button.style.left = `${100 * share}%`
      nameTool(button, fill(texts.key, { n: index + 1, name: names[index] }))
      button.addEventListener("click", () => this.#step(this.#frameAt(share)))
      return button
    })
    this.keys.replaceChildren(...this.buttons)
    if (this.sheets.length) this.#drawKeys()
    this.#showPlaying()
    this.#showLikes()
  }

  #frameAt(share) {
    return Math.round(share * this.last)
  }

  #fit() {
    const width = this.root.clientWidth
    if (!this.data || !width) return
    const tall = Math.max(SMALLEST, innerHeight * (this.data.ends.length ? ABOVE_ROWS : TALLEST))
    const count = this.views.length
    const room = Math.min((width - 4 - 16 * (count - 1)) / count, tall)
    for (const view of this.views) view.fit(room, this.data.size)
    this.rows.fit(width)
    const thumb = Math.min(WIDEST_KEY, (width - 52) / Math.max(1, this.data.marks.length - 1) - 6)
    this.root.style.setProperty("--thumb", `${Math.max(14, thumb)}px`)
  }

  // Playing -------------------------------------------------------------------------------------------------

  #play(playing) {
    this.playing = playing
    cancelAnimationFrame(this.next)
    if (this.data) this.#showPlaying()
    if (!playing) return
    let before = performance.now()
    const tick = now => {
      const passed = Math.min(0.25, Math.max(0, now - before) / 1000) // a tab that slept goes on where it was
      before = now
      if (this.sheets.length) this.#advance(passed * this.likes.speed)
      this.next = requestAnimationFrame(tick)
    }
    this.next = requestAnimationFrame(tick)
  }

  #advance(frames) {
    const { last } = this
    if (this.likes.swing) {
      this.position += this.way * frames
      while (last && (this.position < 0 || this.position > last)) {
        this.way = this.position < 0 ? 1 : -1
        this.position = this.position < 0 ? -this.position : 2 * last - this.position
      }
    } else {
      this.way = 1
      this.position = (this.position + frames) % this.data.count
    }
    this.#draw(false)
  }

  #seek(frame) {
    this.position = frame
    this.#draw(false)
  }

  #showPlaying() {
    const { play } = this.tools
    play.replaceChildren(makeIcon(this.playing ? "pause" : "play"))
    nameTool(play, this.data.texts[this.playing ? "pause" : "play"])
    this.#tell()
  }

  // Drawing -------------------------------------------------------------------------------------------------

  #draw(anew) {
    if (!this.sheets.length) return
    const frame = clamp(Math.floor(this.position), 0, this.last)
    this.track.put(this.position)
    if (frame === this.frame && !anew) return
    this.frame = frame
    this.views.forEach((view, i) => {
      if (this.sheets[i]) view.draw(this.sheets[i], this.data, frame, this.likes.soft)
    })
    this.rows.mark(frame)
    this.at.textContent = fill(this.data.texts.at, { frame: frame + 1, count: this.data.count })
    this.buttons.forEach((button, i) => {
      button.classList.toggle("near", this.#frameAt(this.data.marks[i]) === frame)
    })
    if (!this.playing) this.#tell()
  }

  // A screen reader would read out every frame of a film that plays.
  #tell() {
    const frame = Math.max(0, this.frame) + 1
    this.track.tell(frame, fill(this.data.texts.frame, { frame, count: this.data.count }))
  }

  #drawKeys() {
    const { size, columns, marks } = this.data
    const [width, height] = size
    this.buttons.forEach((button, i) => {
      const frame = this.#frameAt(marks[i])
      const x = (frame % columns) * width
      const y = Math.floor(frame / columns) * height
      button.firstChild.getContext("2d").drawImage(this.sheets[0], x, y, width, height, 0, 0, width, height)
    })
  }
}

export default function ({ data: [data] = [], parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".player")
  if (!root || !data) return
  let player = players.get(parentElement)
  if (!player) players.set(parentElement, (player = new Player(root)))
  player.open = frame => setTriggerValue("open", frame)
  player.update(data)
  return () => {
    player.close()
    players.delete(parentElement)
  }
}
