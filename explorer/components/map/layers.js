// Points over those of the map, each with a picture: samples, placed by their neighbours, and a person's own image.
//
// Samples are fetched as the points of a map are. Each layer has an entry that shows it or leaves it out.
class Layers {
  // onchange(): called when a person shows or leaves out a layer; onpicture(): when more pictures are here.
  constructor(onchange, onpicture) {
    Object.assign(this, { onchange, onpicture })
    this.node = make("div", "layers", { hidden: true })
    this.node.setAttribute("role", "group")
    this.all = [] // { data, store, points }
    this.left = new Set() // names of those that are left out
    this.own = null
  }

  // extras, own: from Python, see `Extra` and `OwnImage`. Resolves when their places are here.
  async update(extras, own, texts) {
    const turn = (this.turn = {})
    this.texts = texts
    this.node.setAttribute("aria-label", texts.layers)
    this.own = own && { ...own, images: own.pictures.map(address => Object.assign(new Image(), { src: address })) }
    for (const image of this.own?.images ?? []) image.addEventListener("load", () => this.onpicture())
    const layers = await Promise.all(extras.map(data => this.#layer(data)))
    if (this.turn !== turn) return
    this.all = layers.filter(Boolean)
    this.#draw()
  }

  async #layer(data) {
    const known = this.all.find(layer => layer.data.key === data.key)
    if (known) return { ...known, data }
    const heard = { latents: () => {}, pictures: () => this.onpicture() }
    const store = new Store({ ...data, pictures: "decoded" }, heard)
    const points = await store.points().catch(() => null)
    return points && { data, store, points }
  }

  get visible() {
    return this.all.filter(({ data }) => !this.left.has(data.name))
  }

  // What is drawn of them, see `Overlay`.
  get extras() {
    return this.visible.map(({ data, points }) => ({ places: points.places, mark: data.mark }))
  }

  get place() {
    return this.own && !this.left.has(this.texts.own) ? this.own.place : null
  }

  // Draw the entries in the colours of the map.
  dress(look) {
    this.look = look
    this.#draw()
  }

  #draw() {
    const entries = this.all.map(({ data: { name, mark, count } }) => ({ name, mark, count: count.toLocaleString() }))
    if (this.own) entries.push({ name: this.texts.own, mark: "own", count: "" })
    this.node.hidden = !entries.length
    this.node.replaceChildren(...entries.map(entry => this.#chip(entry)))
  }

  #chip({ name, mark, count }) {
    const chip = make("button", "chip", { type: "button", title: fill(this.texts.layer, { name }) })
    const dot = make("i", `mark ${mark}`)
    if (this.look) dot.style.setProperty("--mark", mark === "own" ? this.look.accent : markColour(mark, this.look))
    chip.append(dot, document.createTextNode(name), make("small", "", { textContent: count }))
    chip.setAttribute("aria-pressed", String(!this.left.has(name)))
    chip.addEventListener("click", () => {
      if (!this.left.delete(name)) this.left.add(name)
      chip.setAttribute("aria-pressed", String(!this.left.has(name)))
      this.onchange()
    })
    return chip
  }

  // Return what lies at a place, the topmost first, null for nothing: { layer, row }, layer null for the own image.
  at(x, y, within) {
    const own = this.place
    if (own && Math.hypot(own[0] - x, own[1] - y) <= within) return { layer: null, row: 0 }
    for (const layer of [...this.visible].reverse()) {
      const [hit] = layer.points.nearest(x, y, 1, { within })
      if (hit) return { layer, row: hit.row }
    }
    return null
  }

  // Tell whether what `at` returned is still to be seen.
  has({ layer }) {
    return layer ? this.visible.some(({ data }) => data.key === layer.data.key) : Boolean(this.place)
  }

  // What is to be said of it to Python, and to people; `id` names its picture.
  choice({ layer, row }) {
    return layer ? { above: layer.data.key, index: layer.points.order[row] } : { above: "own" }
  }

  describe({ layer, row }) {
    const { own, image, decoded, sample, numbers } = this.texts
    if (!layer) return { id: "own", first: image, second: decoded, title: own, words: "" }
    const words = fill(numbers[layer.points.sources[row]], { n: layer.points.numbers[row] })
    return { id: `${layer.data.mark} ${layer.points.order[row]}`, first: "", second: sample, title: layer.data.name, words }
  }

  // Draw its pictures, as far as they are here; tells which of the two are.
  draw({ layer, row }, first, second) {
    if (layer) return [false, layer.store.draw(row, second)]
    return [first, second].map((context, i) => {
      const image = this.own.images[i]
      if (image.complete) context.drawImage(image, 0, 0)
      return image.complete
    })
  }
}
