// The pictures of a training, first to last: follows the newest one, or stays where a person went, or plays. State is
// kept per element: the default export runs again on every change of data.
const timelines = new WeakMap()
const PACE = 125 // milliseconds that a picture stays while they play
const AHEAD = 6 // pictures on either side that are fetched before they are asked for
const MANY = 5 // pictures that Page Up and Down skip

class Timeline {
  constructor(root) {
    this.root = root
    this.kind = "" // of the pictures that are shown
    this.pinned = null // the step that a person went to; null: the newest one, and so on as more come
    this.playing = false
    this.plays = 0 // how often it was started and stopped
    this.wanted = "" // address of the picture to show, once it is there
    this.drawn = null // { image, kind, step }
    this.images = new Map() // address -> promise of a decoded image, or of null
    this.#build()
    this.root.addEventListener("keydown", event => this.#key(event))
    for (const event of ["pointerenter", "focusin"]) this.root.addEventListener(event, () => this.#fetchAround())
    this.observer = new ResizeObserver(() => this.#draw())
    this.observer.observe(this.glass)
  }

  close() {
    this.observer.disconnect()
    this.#play(false)
  }

  #build() {
    this.switch = make("div", "kinds")
    this.switch.setAttribute("role", "radiogroup")
    this.glass = make("div", "glass")
    this.canvas = make("canvas")
    this.canvas.setAttribute("role", "img")
    this.glass.append(this.canvas)
    this.glass.addEventListener("click", () => {
      this.root.focus({ preventScroll: true }) // so that the keys work from here on
      this.#play(!this.playing)
    })
    this.button = makeTool("play")
    this.button.classList.add("main")
    this.button.addEventListener("click", () => this.#play(!this.playing))
    this.track = new Track({
      start: () => this.#play(false),
      move: index => this.#seek(index),
      end: () => {},
    })
    this.newest = make("button", "newest", { type: "button" })
    this.newest.addEventListener("click", () => this.#goTo(this.last))
    const bar = make("div", "bar")
    bar.append(this.button, this.track.node)
    this.step = make("strong")
    this.about = make("p")
    const caption = make("div", "caption")
    caption.append(this.step, this.newest, this.about)
    this.root.replaceChildren(this.switch, bar, this.glass, caption)
  }

  // Data from Python ----------------------------------------------------------------------------------------

  get pictures() {
    return this.data.kinds.find(kind => kind.name === this.kind)
  }

  get shots() {
    return this.pictures.shots
  }

  get last() {
    return this.shots.length - 1
  }

  // The place of the picture to show: of the step that is pinned, or of the last one before it.
  get at() {
    if (this.pinned === null) return this.last
    return Math.max(0, this.shots.findLastIndex(([step]) => step <= this.pinned))
  }

  update(data) {
    this.data = data
    if (!this.pictures) this.kind = data.kinds[0].name
    const listed = new Set(data.kinds.flatMap(kind => kind.shots.map(shot => this.#address(shot, kind.name))))
    for (const address of this.images.keys()) if (!listed.has(address)) this.images.delete(address)
    if (!this.drawn) this.#shape(...this.pictures.size)
    this.#describe()
    this.#show()
  }

  #describe() {
    const { texts, label, kinds } = this.data
    this.root.setAttribute("aria-label", label)
    this.switch.setAttribute("aria-label", texts.kinds)
    this.switch.hidden = kinds.length < 2
    if (this.switch.childElementCount !== kinds.length) this.#offer(kinds)
    for (const radio of this.switch.children) {
      const chosen = radio.dataset.kind === this.kind
      radio.setAttribute("aria-checked", String(chosen))
      radio.tabIndex = chosen ? 0 : -1 // one tab stop; arrow keys move inside
    }
    this.newest.textContent = texts.newest
    this.newest.title = texts.follow
    this.track.last = this.last
    this.track.describe({ label: texts.track, low: 0, high: this.last })
    this.#showPlaying()
  }

  #offer(kinds) {
    const radios = kinds.map(({ name, title }) => {
      const radio = make("button", "kind", { type: "button", textContent: title })
      radio.setAttribute("role", "radio")
      radio.dataset.kind = name
      radio.addEventListener("click", () => this.#choose(name))
      return radio
    })
    this.switch.replaceChildren(...radios)
  }

  // What a person does --------------------------------------------------------------------------------------

  #choose(kind) {
    this.kind = kind
    this.#describe()
    this.#show()
    this.#fetchAround()
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const among = event.target.closest(".kinds") ? [...this.switch.children] : null
    const [at, last] = among ? [among.indexOf(event.target), among.length - 1] : [this.at, this.last]
    const to = keyLeads(event, at, last, MANY)
    if (event.key === " " && !event.target.closest("button")) this.#play(!this.playing)
    else if (to === undefined) return
    else if (among) {
      among[to].click()
      among[to].focus()
    } else this.#goTo(to)
    event.preventDefault()
  }

  #goTo(index) {
    this.#play(false)
    this.#seek(index)
  }

  #seek(index) {
    this.pinned = index < this.last ? this.shots[index][0] : null
    this.#fetchAround()
    return this.#show()
  }

  // From where it is, but from the newest one all over again, to the newest one there is by then.
  #play(playing) {
    clearTimeout(this.timer)
    this.plays += 1
    const begins = playing && !this.playing && this.last > 0
    this.playing = begins
    this.#showPlaying()
    if (begins) this.#turn(this.pinned === null ? 0 : this.at)
  }

  async #turn(index) {
    const { plays } = this
    const began = performance.now()
    await this.#seek(index)
    if (plays !== this.plays) return
    if (index >= this.last) this.#play(false)
    else this.timer = setTimeout(() => this.#turn(this.at + 1), Math.max(0, PACE - (performance.now() - began)))
  }

  #showPlaying() {
    this.button.replaceChildren(makeIcon(this.playing ? "pause" : "play"))
    this.button.disabled = this.last < 1
    nameTool(this.button, this.data.texts[this.playing ? "pause" : "play"])
    this.#tell()
  }

  // Pictures ------------------------------------------------------------------------------------------------

  #address([step, version], kind = this.kind) {
    return `${this.data.pictures}/${kind}/${step}.png?v=${version}`
  }

  #fetch(address) {
    let found = this.images.get(address)
    if (!found) {
      const image = new Image()
      image.src = address
      const failed = () => {
        this.images.delete(address) // so that it is tried again
        return null
      }
      found = image.decode().then(() => image, failed)
      this.images.set(address, found)
    }
    return found
  }

  #fetchAround() {
    const { at } = this
    for (const shot of this.shots.slice(Math.max(0, at - AHEAD), at + AHEAD + 1)) this.#fetch(this.#address(shot))
  }

  // Show the present picture as soon as it is decoded; until then the one before stays, and of several the last wins.
  async #show() {
    const { at, kind } = this
    const shot = this.shots[at]
    const address = this.#address(shot)
    this.track.put(at)
    this.newest.setAttribute("aria-pressed", String(this.pinned === null))
    if (!this.playing) this.#tell()
    this.wanted = address
    const image = await this.#fetch(address)
    if (!image || this.wanted !== address || this.drawn?.image === image) return
    this.drawn = { image, step: shot[0], about: this.data.kinds.find(({ name }) => name === kind).about }
    this.#draw()
  }

  #shape(width, height) {
    this.glass.style.aspectRatio = `${width} / ${height}`
  }

  // Enlarged by a whole factor, pixel by pixel; the browser makes that a little smaller, so that it fits its place and
  // every pixel is as large as the next one.
  #draw() {
    if (!this.drawn) return
    const { image, step, about } = this.drawn
    const { naturalWidth: width, naturalHeight: height } = image
    this.#shape(width, height)
    const room = this.glass.clientWidth * (window.devicePixelRatio || 1)
    const times = Math.max(1, Math.ceil(room / width))
    if (this.canvas.width !== times * width) this.canvas.width = times * width
    if (this.canvas.height !== times * height) this.canvas.height = times * height
    const context = this.canvas.getContext("2d")
    context.imageSmoothingEnabled = false
    context.drawImage(image, 0, 0, times * width, times * height)
    this.step.textContent = this.#word(this.data.texts.caption, step)
    this.about.textContent = about
    this.canvas.setAttribute("aria-label", `${about}, ${this.#word(this.data.texts.at, step)}`)
    this.root.dataset.step = step
  }

  #word(text, step) {
    return fill(text, { n: step.toLocaleString("en-US") })
  }

  // A screen reader would read out every picture while they play.
  #tell() {
    if (!this.playing) this.track.tell(this.at, this.#word(this.data.texts.at, this.shots[this.at][0]))
  }
}

export default function ({ data: [data] = [], parentElement }) {
  const root = parentElement.querySelector(".timeline")
  if (!root || !data) return
  let timeline = timelines.get(parentElement)
  if (!timeline) timelines.set(parentElement, (timeline = new Timeline(root)))
  timeline.update(data)
  return () => {
    timeline.close()
    timelines.delete(parentElement)
  }
}
