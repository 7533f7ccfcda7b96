// Pixels on a canvas.
const DRAG_SPAN = 6 // sd that a drag across a picture makes up for

// Return uint8 pixels (H, W, C), grey or RGB, as an ImageData.
function toImageData(pixels, [height, width, channels], offset = 0) {
  const image = new ImageData(width, height)
  const words = new Uint32Array(image.data.buffer) // little-endian: alpha, blue, green, red
  for (let i = 0, from = offset; i < words.length; i++, from += channels) {
    const red = pixels[from]
    const green = channels === 3 ? pixels[from + 1] : red
    const blue = channels === 3 ? pixels[from + 2] : red
    words[i] = (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0
  }
  return image
}

// The large picture. Every pixel covers the same whole number of screen pixels; smoothed, the picture is as large.
class Picture {
  constructor() {
    this.canvas = make("canvas", "picture")
    this.canvas.setAttribute("role", "img")
    this.context = this.canvas.getContext("2d")
    this.source = make("canvas").getContext("2d")
    this.soft = false
    this.image = null
  }

  draw(pixels, shape) {
    this.show(toImageData(pixels, shape))
  }

  show(image) {
    this.image = image
    this.#paint()
  }

  soften(soft) {
    this.soft = soft
    this.canvas.classList.toggle("soft", soft)
    if (this.image) this.#paint()
  }

  #paint() {
    const { width, height } = this.image
    const times = this.soft ? Math.max(1, Math.ceil(512 / width)) : 1
    if (this.canvas.width !== width * times) this.canvas.width = width * times
    if (this.canvas.height !== height * times) this.canvas.height = height * times
    if (!this.soft) {
      this.context.putImageData(this.image, 0, 0)
      return
    }
    if (this.source.canvas.width !== width) this.source.canvas.width = width
    if (this.source.canvas.height !== height) this.source.canvas.height = height
    this.source.putImageData(this.image, 0, 0)
    this.context.imageSmoothingQuality = "high"
    this.context.drawImage(this.source.canvas, 0, 0, width * times, height * times)
  }

  // Make it as large as the room allows, in CSS pixels.
  fit(room, [height, width]) {
    const ratio = window.devicePixelRatio || 1
    const times = Math.max(1, Math.floor((room * ratio) / Math.max(height, width)))
    this.canvas.style.width = `${(times * width) / ratio}px`
    this.canvas.style.height = `${(times * height) / ratio}px`
  }

  // Let a drag over the picture lead somewhere: on.start() -> [x, y] in sd, on.move([x, y], stamp), on.end().
  onDrag(glass, { start, move, end }) {
    let before = null
    let raw = null
    let width = 1
    trackPointer(glass, {
      start: event => {
        before = [event.clientX, event.clientY]
        width = this.canvas.clientWidth
        raw = start()
      },
      move: event => {
        const scale = DRAG_SPAN / width / (event.shiftKey ? 5 : 1)
        raw[0] += (event.clientX - before[0]) * scale
        raw[1] -= (event.clientY - before[1]) * scale
        before = [event.clientX, event.clientY]
        move([...raw], event.timeStamp)
      },
      end,
    })
  }
}

// The strip of pictures through the current point, along one direction.
class Film {
  // on: { open(coordinate), choose(direction) }
  constructor(on) {
    this.node = make("div", "film")
    this.strip = make("div", "strip")
    this.strip.setAttribute("role", "group")
    this.marker = makeCarry(make("i", "marker"))
    this.select = make("select")
    this.word = make("span")
    const label = make("label", "axis")
    label.append(this.word, this.select)
    this.node.append(label, this.strip)
    this.select.addEventListener("change", () => on.choose(Number(this.select.value)))
    this.strip.addEventListener("click", event => {
      const index = this.frames.indexOf(event.target.closest("button"))
      if (index >= 0) on.open(this.positions[index])
    })
    this.strip.addEventListener("keydown", event => this.#walk(event))
    this.frames = []
  }

  #walk(event) {
    const from = this.frames.indexOf(event.target.closest("button"))
    const to = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: this.frames.length - 1 }[event.key]
    if (from < 0 || !this.frames[to]) return
    event.preventDefault()
    this.frames[from].tabIndex = -1
    this.frames[to].tabIndex = 0
    this.frames[to].focus()
  }

  describe(names, texts, { span, steps }, [height, width]) {
    this.names = names
    this.texts = texts
    this.word.textContent = texts.along
    this.select.replaceChildren(...names.map((name, i) => new Option(name, i)))
    this.strip.setAttribute("aria-label", texts.film)
    this.direction = null
    const layout = [steps, height, width].join()
    if (this.layout === layout) return
    this.layout = layout
    this.positions = Array.from({ length: steps }, (_, i) => span * ((2 * i) / (steps - 1) - 1))
    this.span = span
    this.frames = this.positions.map((_, i) => {
      const button = make("button", "frame", { type: "button", tabIndex: i ? -1 : 0 })
      button.append(make("canvas", "", { width, height }), make("span"))
      return button
    })
    this.strip.replaceChildren(...this.frames, this.marker)
  }

  draw(pixels, shape) {
    const size = shape[0] * shape[1] * shape[2]
    this.frames.forEach((frame, i) => {
      frame.firstChild.getContext("2d").putImageData(toImageData(pixels, shape, i * size), 0, 0)
    })
    this.node.classList.add("drawn")
  }

  clear() {
    this.node.classList.remove("drawn")
  }

  show(direction, coordinate) {
    if (this.direction !== direction) this.#label(direction)
    const last = this.positions.length - 1
    const at = clamp((coordinate / this.span + 1) / 2, 0, 1) * last
    const near = Math.abs(coordinate) <= this.span + 0.4 ? Math.round(at) : -1
    this.frames.forEach((frame, i) => frame.classList.toggle("near", i === near))
    this.marker.at((at + 0.5) / (last + 1) - 0.5)
  }

  #label(direction) {
    this.direction = this.select.value = direction
    this.frames.forEach((frame, i) => {
      const text = signed(this.positions[i])
      frame.lastChild.textContent = text === "0.00" ? "0" : text
      frame.setAttribute("aria-label", fill(this.texts.frame, { name: this.names[direction], value: text }))
    })
  }
}
