// Pictures side by side under one lens. State is kept per element: the default export runs again on every change of
// data, several times a second while a search goes on.
const magnifiers = new WeakMap()
const ZOOMS = [2, 3, 4, 6, 8]
const LENS = 0.62 // of a picture's width
const GAP = 16 // CSS pixels between pictures
const LEAST = 104 // CSS pixels of a picture's room; where there is less, they stand in several lines
const LARGEST = 224
const WIPE = { least: 240, share: 0.3, largest: 352, gap: 32 } // of its room; it stands beside the pictures if it can
const ROOMY = 860 // CSS pixels from which it can
const MANY = 8 // pixels that an arrow moves together with Shift
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }

function decode(base64, shape) {
  return toImageData(Uint8Array.from(atob(base64), letter => letter.charCodeAt(0)), shape)
}

// A picture with the lens over it.
class Glass {
  constructor(kind) {
    this.picture = new Picture()
    this.node = make("div", `glass ${kind}`)
    this.lens = make("canvas", "lens", { hidden: true })
    this.lens.setAttribute("aria-hidden", "true")
    this.node.append(this.picture.canvas, this.lens)
  }

  // The text of what is drawn tells whether it is drawn anew.
  show(text, shape, name) {
    this.name = name
    this.picture.canvas.setAttribute("aria-label", name)
    if (this.text === text) return
    this.text = text
    this.picture.show(decode(text, shape))
  }

  get image() {
    return this.picture.image
  }

  // The pixel under a pointer.
  at(event) {
    const box = this.picture.canvas.getBoundingClientRect()
    const { width, height } = this.image
    const x = Math.floor(((event.clientX - box.left) / box.width) * width)
    const y = Math.floor(((event.clientY - box.top) / box.height) * height)
    return { x: clamp(x, 0, width - 1), y: clamp(y, 0, height - 1) }
  }

  magnify(place, zoom) {
    this.lens.hidden = !place
    if (!place) return
    const { width, height } = this.image
    const size = parseFloat(this.picture.canvas.style.width)
    const pixel = size / width // CSS pixels of one
    const side = Math.round(LENS * size)
    const ratio = window.devicePixelRatio || 1
    const device = Math.max(1, Math.round(side * ratio))
    if (this.lens.width !== device) this.lens.width = this.lens.height = device
    this.lens.style.width = this.lens.style.height = `${side}px`
    this.lens.style.left = `${(place.x + 0.5) * pixel - side / 2}px`
    this.lens.style.top = `${(place.y + 0.5) * pixel - side / 2}px`
    const seen = side / (pixel * zoom) // pixels of the picture, across the lens
    const context = this.lens.getContext("2d")
    context.clearRect(0, 0, device, device)
    context.imageSmoothingEnabled = false
    const scale = device / seen
    const [left, top] = [place.x + 0.5 - seen / 2, place.y + 0.5 - seen / 2]
    context.drawImage(this.picture.canvas, -left * scale, -top * scale, width * scale, height * scale)
    const start = (device - scale) / 2 // the pixel that it is about, framed in what shows on light and dark
    for (const [colour, grow] of [["#000", 1.5], ["#fff", 0.5]]) {
      context.strokeStyle = colour
      context.lineWidth = ratio
      context.strokeRect(start - grow * ratio, start - grow * ratio, scale + 2 * grow * ratio, scale + 2 * grow * ratio)
    }
  }
}

// A picture, its difference below, and what is said of it.
class Cell {
  constructor() {
    this.node = make("figure", "cell")
    this.title = make("figcaption")
    this.made = new Glass("made")
    this.difference = new Glass("difference")
    this.scale = make("div", "scale")
    this.scale.append(make("span", "what"), make("i"), make("span"), make("span"))
    this.lines = make("div", "lines")
    this.node.append(this.title, this.made.node, this.difference.node, this.scale, this.lines)
  }

  update(panel, { shape, scale, texts }) {
    this.title.textContent = panel.name
    this.made.show(panel.pixels, shape, panel.name)
    this.difference.node.hidden = !panel.difference
    this.scale.hidden = Boolean(panel.difference)
    if (panel.difference) {
      this.difference.show(panel.difference, shape, fill(texts.difference, { name: panel.name }))
    } else {
      const [what, , low, high] = this.scale.children
      what.textContent = texts.scale
      low.textContent = scale[0]
      high.textContent = scale[1]
    }
    this.lines.replaceChildren(...panel.lines.map(line => make("div", "", { textContent: line })))
  }

  get glasses() {
    return this.difference.node.hidden ? [this.made] : [this.made, this.difference]
  }

  fit(room, shape) {
    for (const glass of [this.made, this.difference]) glass.picture.fit(room, shape)
    const width = this.made.picture.canvas.style.width
    this.node.style.setProperty("--picture", width)
  }
}

class Magnifier {
  constructor(root) {
    this.root = root
    this.place = null
    this.zoom = 0
    this.cells = []
    this.board = make("div", "cells", { tabIndex: 0 })
    this.board.setAttribute("role", "group")
    this.select = make("select")
    this.select.append(...ZOOMS.map(zoom => new Option("", zoom)))
    this.word = make("span")
    const label = make("label", "zoom")
    label.append(this.word, this.select)
    this.at = make("span", "at")
    const bar = make("div", "bar")
    bar.append(label, this.at)
    this.wipe = new Wipe()
    const side = make("div", "side")
    side.append(this.board, bar)
    root.replaceChildren(side, this.wipe.node)
    this.#listen()
    this.unwatch = onResize(root, () => this.#fit())
  }

  close() {
    this.unwatch()
  }

  get glasses() {
    return this.cells.flatMap(cell => cell.glasses)
  }

  #listen() {
    const point = event => {
      const glass = this.glasses.find(({ node }) => node.contains(event.target))
      if (glass) this.#move(glass.at(event), "off")
    }
    this.board.addEventListener("pointermove", point)
    this.board.addEventListener("pointerdown", point)
    this.board.addEventListener("pointerleave", () => this.#hasFocus() || this.#move(null, "off"))
    this.board.addEventListener("focus", () => {
      if (!this.place && this.board.matches(":focus-visible")) this.#move(this.#middle(), "polite")
    })
    this.board.addEventListener("blur", () => this.#move(null, "off"))
    this.board.addEventListener("keydown", event => this.#key(event))
    this.select.addEventListener("change", () => {
      this.zoom = Number(this.select.value)
      this.#magnify()
    })
  }

  #hasFocus() {
    return this.board.matches(":focus-visible")
  }

  #middle() {
    const [height, width] = this.data.shape
    return { x: Math.floor(width / 2), y: Math.floor(height / 2) }
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const step = STEPS[event.key]
    if (event.key === "Escape") this.#move(null, "polite")
    else if (step) {
      const [height, width] = this.data.shape
      const by = event.shiftKey ? MANY : 1
      const { x, y } = this.place ?? this.#middle()
      const place = { x: clamp(x + by * step[0], 0, width - 1), y: clamp(y + by * step[1], 0, height - 1) }
      this.#move(place, "polite")
    } else return
    event.preventDefault()
  }

  // live: whether a screen reader says where it is.
  #move(place, live) {
    this.place = place
    this.at.setAttribute("aria-live", live)
    this.#magnify()
  }

  #magnify() {
    const { place, zoom } = this
    for (const glass of this.glasses) glass.magnify(place, zoom)
    const { texts } = this.data
    this.at.textContent = place ? fill(texts.at, { x: place.x + 1, y: place.y + 1 }) : texts.hint
  }

  update(data) {
    const reshaped = String(this.data?.shape) !== String(data.shape)
    this.data = data
    const { panels, texts } = data
    if (this.cells.length !== panels.length) {
      this.cells = panels.map((_, i) => this.cells[i] ?? new Cell())
      this.board.replaceChildren(...this.cells.map(({ node }) => node))
    }
    this.cells.forEach((cell, i) => cell.update(panels[i], data))
    this.root.setAttribute("aria-label", data.label)
    this.board.setAttribute("aria-label", texts.glass)
    this.word.textContent = texts.zoom
    for (const option of this.select) option.textContent = fill(texts.times, { n: option.value })
    if (reshaped) {
      this.zoom = data.shape[1] > 32 ? 4 : 3
      this.select.value = this.zoom
      this.place = null
    }
    const first = panels.length > 2 ? [1, 2] : [0, panels.length - 1]
    const made = this.cells.map(({ made }) => made)
    const others = this.cells.flatMap(cell => cell.glasses.slice(1))
    this.wipe.update([...made, ...others], first, texts)
    this.#fit()
    this.root.dataset.ready = "true"
  }

  #fit() {
    const width = this.root.clientWidth
    if (!this.data || !width) return
    const count = this.cells.length
    const beside = width >= ROOMY && count <= 3
    const wipe = beside ? clamp(WIPE.share * width, WIPE.least, WIPE.largest) : Math.min(WIPE.largest, width - 4)
    const left = beside ? width - wipe - WIPE.gap : width
    const room = clamp((left - 4 - GAP * (count - 1)) / count, LEAST, LARGEST)
    for (const cell of this.cells) cell.fit(room, this.data.shape)
    this.wipe.fit(wipe, this.data.shape)
    this.root.classList.toggle("roomy", beside)
    this.root.style.setProperty("--wipe", `${wipe}px`)
    this.#magnify()
  }
}

export default function ({ data: [data] = [], parentElement }) {
  const root = parentElement.querySelector(".magnifier")
  if (!root || !data) return
  let magnifier = magnifiers.get(parentElement)
  if (!magnifier) magnifiers.set(parentElement, (magnifier = new Magnifier(root)))
  magnifier.update(data)
  return () => {
    magnifier.close()
    magnifiers.delete(parentElement)
  }
}
