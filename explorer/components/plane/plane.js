// A plane of the latent space: equally large pictures, points over them, and the picture under the pointer.
//
// All places are shares of the side in [0, 1], from the left and from the bottom. One table of coordinates, `scale`,
// leads from them to prior standard deviations and back, for pictures, points, ticks and pointer alike.
const planes = new WeakMap()
const TALLEST = 0.64 // of the window's height
const SMALLEST = 260 // CSS pixels of the side
const GUTTER = 62 // CSS pixels beside the map
const LENS = 132 // CSS pixels of the enlarged picture, at most
const LENS_SHARE = 0.32 // of the side, at most
const GAP = 18 // between the pointer and that
const STEP = 0.01 // shares that an arrow key moves by
const FINE = 0.002
const TICKS = [0, -1, 1, -2, 2, -3, 3] // sd, the important ones first
const TICK_ROOM = 24 // CSS pixels
const CLICK = 5 // CSS pixels that a click may move

class Plane {
  constructor(root) {
    this.root = root
    this.state = "connecting"
    this.place = null // of the crosshair
    this.shown = false
    this.#build()
    this.#listen()
    this.unwatch = onResize(root, () => this.#fit())
  }

  close() {
    this.unwatch()
    clearTimeout(this.notice)
    this.stream?.close()
  }

  #build() {
    this.ground = make("div", "ground", { tabIndex: 0 })
    this.ground.setAttribute("role", "slider")
    this.tiles = make("canvas", "tiles")
    this.cloud = new Cloud({ change: () => this.#paint() })
    this.here = make("i", "here")
    this.hairs = [make("i", "hair x"), make("i", "hair y")]
    this.ground.append(this.tiles, this.cloud.canvas, ...this.hairs, this.here)
    this.lens = make("div", "lens", { hidden: true })
    this.picture = make("canvas")
    this.words = make("span")
    this.lens.append(this.picture, this.words)
    this.ticks = make("div")
    this.ticks.setAttribute("aria-hidden", "true")
    this.axes = [make("span", "axis x"), make("span", "axis y")]
    this.map = make("div", "map")
    this.map.append(this.ground, this.lens, this.ticks, ...this.axes)
    this.status = make("div", "status")
    this.status.setAttribute("role", "status")
    this.root.replaceChildren(this.map, this.cloud.legend, this.status)
  }

  #listen() {
    const { ground } = this
    const at = event => {
      const box = ground.getBoundingClientRect()
      const share = (value, low, size) => clamp((value - low) / size, 0, 1)
      return [share(event.clientX, box.left, box.width), 1 - share(event.clientY, box.top, box.height)]
    }
    let from = null
    const still = event => from && Math.hypot(event.clientX - from[0], event.clientY - from[1]) <= CLICK
    const move = event => this.#look(at(event))
    ground.addEventListener("pointerenter", event => event.pointerType === "mouse" && this.#look(at(event), true))
    ground.addEventListener("pointerdown", event => {
      from = [event.clientX, event.clientY]
      this.#look(at(event), event.pointerType !== "mouse")
    })
    // `pointermove` waits for the next frame; where the browser has it, this does not.
    ground.addEventListener("onpointerrawupdate" in ground ? "pointerrawupdate" : "pointermove", move)
    ground.addEventListener("pointerup", event => {
      if (event.button === 0 && still(event)) this.#pick()
      from = null
    })
    ground.addEventListener("pointerleave", event => event.pointerType === "mouse" && this.#hide())
    ground.addEventListener("focus", () => {
      if (ground.matches(":focus-visible")) this.#look(this.place ?? this.#placeOf(this.data.here), true)
    })
    ground.addEventListener("blur", () => this.#hide())
    ground.addEventListener("keydown", event => this.#key(event))
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const by = event.shiftKey ? FINE : STEP
    const ways = { ArrowLeft: [-by, 0], ArrowRight: [by, 0], ArrowUp: [0, by], ArrowDown: [0, -by] }
    const from = this.place ?? this.#placeOf(this.data.here)
    if (event.key in ways) this.#look(from.map((share, i) => clamp(share + ways[event.key][i], 0, 1)))
    else if (event.key === "Home") this.#look(this.#placeOf([0, 0]))
    else if (event.key === "Enter" || event.key === " ") this.#pick()
    else if (event.key === "Escape") this.#hide()
    else return
    event.preventDefault()
  }

  // Data from Python ----------------------------------------------------------------------------------------

  async update(data) {
    const before = this.data
    this.data = data
    this.latent = ["corner", "right", "up"].map(name => decodeFloats(data[name]))
    const { texts, names, shape } = data
    this.root.setAttribute("aria-label", texts.plane)
    this.ground.setAttribute("aria-label", names.join(" × "))
    this.ground.setAttribute("aria-roledescription", texts.role)
    this.axes.forEach((axis, i) => (axis.textContent = fill(texts.axis, { name: names[i] })))
    this.cloud.describe(data.cloud, texts)
    if (this.picture.width !== shape[1] || this.picture.height !== shape[0]) {
      Object.assign(this.picture, { width: shape[1], height: shape[0] })
    }
    if (before?.model !== data.model || before?.url !== data.url) this.#open()
    if (this.state === "connecting" || this.state === "live") this.status.textContent = texts.hint
    if (before?.sheet !== data.sheet) {
      const image = new Image()
      image.src = `data:image/png;base64,${data.sheet}`
      await image.decode().catch(() => {})
      if (this.data.sheet !== data.sheet) return // a newer one is on its way
      this.sheet = image
    }
    this.#fit(true)
    if (this.shown && before.serial !== data.serial) this.#look(this.place, true)
    this.root.dataset.ready = data.serial
  }

  #open() {
    this.stream?.close()
    this.stream = liveSocket(this.data.url).open({
      model: this.data.model,
      priority: 0,
      onpixels: reply => this.#drawReply(reply),
      onstate: (state, reason) => this.#connection(state, reason),
    })
  }

  #connection(state, reason) {
    const { texts } = this.data
    this.state = state
    this.root.dataset.state = state
    const sentence = { refused: `${reason} ${texts.plain}`, lost: texts.lost }[state] ?? texts.hint
    clearTimeout(this.notice) // most connections are back before anybody has read that one was lost
    this.notice = setTimeout(() => (this.status.textContent = sentence), state === "lost" ? 600 : 0)
  }

  // The scale -----------------------------------------------------------------------------------------------

  #coordinate(share) {
    const { scale } = this.data
    const at = clamp(share, 0, 1) * (scale.length - 1)
    const node = Math.min(Math.floor(at), scale.length - 2)
    return scale[node] + (at - node) * (scale[node + 1] - scale[node])
  }

  // Return the share of the side at a coordinate; beyond the map it is below 0 or above 1.
  #share(coordinate) {
    const { scale } = this.data
    if (coordinate < scale[0]) return -1
    if (coordinate > scale.at(-1)) return 2
    let low = 0
    let high = scale.length - 1
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if (scale[middle] <= coordinate) low = middle
      else high = middle
    }
    return (low + (coordinate - scale[low]) / (scale[high] - scale[low])) / (scale.length - 1)
  }

  #placeOf(coordinates) {
    return coordinates.map(coordinate => clamp(this.#share(coordinate), 0, 1))
  }

  // Looking -------------------------------------------------------------------------------------------------

  // anew: what the lens shows is from somewhere else.
  #look(place, anew = false) {
    if (!this.sheet) return
    this.place = place
    const [x, y] = place.map(share => this.#coordinate(share))
    const live = this.state === "live"
    if (!live || anew || !this.shown) this.#drawNearest(place)
    this.shown = true
    if (live) {
      const [corner, right, up] = this.latent
      const z = Float32Array.from(corner, (value, i) => value + x * right[i] + y * up[i])
      this.stream.send({ z, label: this.data.label, tag: this.data.serial })
    }
    this.#show([x, y])
  }

  #hide() {
    this.shown = false
    this.lens.hidden = true
    this.hairs.forEach(hair => (hair.hidden = true))
  }

  #show([x, y]) {
    const { side } = this
    const left = this.place[0] * side
    const top = (1 - this.place[1]) * side
    this.hairs[0].style.left = `${left}px`
    this.hairs[1].style.top = `${top}px`
    const text = `${this.data.names[0]} ${signed(x)}, ${this.data.names[1]} ${signed(y)}`
    this.words.textContent = `${signed(x)}, ${signed(y)}`
    this.ground.setAttribute("aria-valuetext", text)
    this.ground.setAttribute("aria-valuenow", x.toFixed(2))
    this.lens.hidden = false
    this.hairs.forEach(hair => (hair.hidden = false))
    // Beside the pointer, on whichever side there is room.
    const [width, height] = [this.lens.offsetWidth, this.lens.offsetHeight]
    const beside = (at, size) => (at + GAP + size <= side ? at + GAP : Math.max(0, at - GAP - size))
    this.lens.style.transform = `translate(${beside(left, width)}px, ${beside(top, height)}px)`
  }

  #drawNearest(place) {
    const { steps, shape } = this.data
    const [column, row] = [place[0], 1 - place[1]].map(share => Math.min(steps - 1, Math.floor(share * steps)))
    const [height, width] = shape
    const context = this.picture.getContext("2d")
    context.drawImage(this.sheet, column * width, row * height, width, height, 0, 0, width, height)
    this.picture.dataset.source = "map"
  }

  #drawReply({ pixels, shape, tag }) {
    if (tag !== this.data.serial) return // of another plane
    this.picture.getContext("2d").putImageData(toImageData(pixels, shape), 0, 0)
    this.picture.dataset.source = "live"
  }

  #pick() {
    if (!this.shown) return
    const place = this.place.map(share => Math.round(1e4 * this.#coordinate(share)) / 1e4)
    this.report({ serial: this.data.serial, place })
  }

  // Drawing -------------------------------------------------------------------------------------------------

  #fit(anew = false) {
    const wide = this.root.clientWidth
    if (!this.data || !wide) return
    const { steps } = this.data
    const room = Math.max(SMALLEST, Math.min(wide - GUTTER - 4, innerHeight * TALLEST))
    const side = Math.floor(room / steps) * steps // whole pixels for each picture
    if (side === this.side && !anew) return
    this.side = side
    this.root.style.setProperty("--side", `${side}px`)
    const [height, width] = this.data.shape
    const times = Math.max(1, Math.floor(Math.min(LENS, LENS_SHARE * side) / width))
    Object.assign(this.picture.style, { width: `${times * width}px`, height: `${times * height}px` })
    this.#paint()
    this.#drawTicks()
    const [x, y] = this.data.here.map(coordinate => this.#share(coordinate))
    this.here.style.left = `${100 * x}%`
    this.here.style.top = `${100 * (1 - y)}%`
    const { scale } = this.data
    this.ground.setAttribute("aria-valuemin", scale[0].toFixed(2))
    this.ground.setAttribute("aria-valuemax", scale.at(-1).toFixed(2))
    if (!this.shown) {
      this.ground.setAttribute("aria-valuenow", this.data.here[0].toFixed(2))
      this.#hide()
    }
  }

  #paint() {
    if (!this.sheet || !this.side) return
    const ratio = window.devicePixelRatio || 1
    const pixels = Math.round(this.side * ratio)
    Object.assign(this.tiles, { width: pixels, height: pixels })
    const context = this.tiles.getContext("2d")
    context.imageSmoothingQuality = "high"
    context.fillStyle = GROUND
    context.fillRect(0, 0, pixels, pixels)
    context.globalAlpha = this.data.cloud ? DIMMED : 1
    context.drawImage(this.sheet, 0, 0, pixels, pixels)
    this.cloud.draw(coordinate => this.#share(coordinate), this.side)
  }

  #drawTicks() {
    const taken = []
    const nodes = []
    for (const value of TICKS) {
      const share = this.#share(value)
      const at = share * this.side
      if (share < 0 || share > 1 || taken.some(other => Math.abs(other - at) < TICK_ROOM)) continue
      taken.push(at)
      const text = value < 0 ? `−${-value}` : String(value)
      const [x, y] = [make("span", "tick x"), make("span", "tick y")]
      x.textContent = y.textContent = text
      x.style.left = `${at}px`
      y.style.top = `${this.side - at}px`
      nodes.push(x, y)
    }
    this.ticks.replaceChildren(...nodes)
  }
}

export default function ({ data: [data] = [], parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".plane")
  if (!root || !data) return
  let plane = planes.get(parentElement)
  if (!plane) planes.set(parentElement, (plane = new Plane(root)))
  plane.report = place => setTriggerValue("pick", place)
  plane.update(data)
  return () => {
    plane.close()
    planes.delete(parentElement)
  }
}
