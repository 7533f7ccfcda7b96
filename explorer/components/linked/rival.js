// One of the models: its picture, where it is, the stream that decodes it, how sharp it is.
const GAUGE = 2 // times the sharpness of real images, at the end of the gauge
const BEHIND = 1e-3 // sd between what is drawn and where it is

class Rival {
  // on: { drag: see Picture.onDrag, state(), drawn(), open() }
  constructor(number, on) {
    this.number = number
    this.on = on
    this.state = "connecting"
    this.picture = new Picture()
    this.pace = new Pace(reply => this.#drawReply(reply), `samples ${number}`)
    this.node = make("figure", "rival")
    this.glass = make("div", "glass")
    this.glass.append(this.picture.canvas)
    this.picture.onDrag(this.glass, on.drag)
    this.title = make("strong")
    this.family = make("span", "family")
    this.status = make("span", "refusal")
    this.status.setAttribute("role", "status")
    this.open = make("button", "open", { type: "button" })
    this.open.addEventListener("click", () => on.open())
    const head = make("div", "head")
    head.append(this.title, this.family)
    this.caption = make("figcaption")
    this.caption.append(head, this.#gauge(), this.open, this.status)
    this.node.append(this.glass, this.caption)
  }

  close() {
    this.pace.drop()
    this.stream?.close()
  }

  get live() {
    return this.state === "live"
  }

  #gauge() {
    this.gauge = make("div", "gauge")
    this.gauge.setAttribute("role", "meter")
    this.gauge.setAttribute("aria-valuemin", "0")
    this.gauge.setAttribute("aria-valuemax", String(GAUGE))
    this.level = make("i", "level")
    this.figure = make("span", "figure")
    const scale = make("span", "scale")
    scale.append(this.level, make("i", "mark"))
    this.gaugeWord = make("span")
    this.gauge.append(this.gaugeWord, scale, this.figure)
    return this.gauge
  }

  // data: of this model; real: sharpness of real images, or nothing.
  describe(data, real, texts, url) {
    const before = this.data
    Object.assign(this, { data, real, texts })
    this.start = decodeFloats(data.start)
    const flat = decodeFloats(data.vectors)
    const dim = this.start.length
    this.vectors = Array.from({ length: flat.length / dim }, (_, k) => flat.subarray(k * dim, (k + 1) * dim))
    this.picture.canvas.setAttribute("aria-label", data.alt)
    this.title.textContent = data.title
    this.family.textContent = data.family
    this.open.textContent = texts.open
    this.open.setAttribute("aria-label", fill(texts.openName, data))
    this.gauge.hidden = !real
    this.gauge.title = texts.sharpHint
    this.gauge.setAttribute("aria-label", `${texts.sharpness}, ${data.title}`)
    this.gaugeWord.textContent = texts.sharpness
    if (before?.model !== data.model || this.url !== url) this.#connect(url)
  }

  #connect(url) {
    this.url = url
    this.close()
    this.stream = liveSocket(url).open({
      model: this.data.model,
      priority: 0,
      onpixels: reply => this.pace.take(reply),
      onstate: (state, reason) => {
        this.state = this.node.dataset.state = state
        this.status.textContent = state === "refused" ? `${reason} ${this.texts.plain}` : ""
        if (this.live && this.z && distance(this.drawn, this.z) > BEHIND) this.#ask(null)
        this.on.state()
      },
    })
  }

  // Go as far along each direction from the start: moves is a Map.
  put(moves, stamp) {
    this.z = this.#after(moves)
    this.#ask(stamp)
  }

  #after(moves) {
    return [...moves].reduce((z, [k, by]) => addScaled(z, this.vectors[k], by), this.start)
  }

  #ask(stamp) {
    this.stream.send({ z: Float32Array.from(this.z), label: this.data.label, tag: { z: this.z, stamp } })
  }

  // Show the picture that came with the data, which is the one after these moves.
  drawGiven(moves) {
    this.pace.drop()
    this.z = this.drawn = this.#after(moves)
    this.#draw(decodeBytes(this.data.pixels), this.data.shape)
  }

  #drawReply({ pixels, shape, tag }) {
    this.drawn = tag.z
    this.#draw(pixels, shape)
    this.on.drawn()
  }

  #draw(pixels, shape) {
    this.picture.draw(pixels, shape)
    if (!this.real) return
    const ratio = sharpness(pixels, shape) / this.real
    const text = fill(this.texts.sharp, { value: ratio.toFixed(2) })
    this.level.style.transform = `scaleX(${clamp(ratio / GAUGE, 0, 1)})`
    this.figure.textContent = text
    this.gauge.setAttribute("aria-valuenow", clamp(ratio, 0, GAUGE).toFixed(2))
    this.gauge.setAttribute("aria-valuetext", text)
  }
}
