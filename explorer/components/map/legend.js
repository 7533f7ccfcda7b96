// What points are coloured by and which are shown: the choice of a colouring, and the legend, whose entries filter.
//
// A filter belongs to what it was made with and stays when the colouring changes: of classes that were left out none
// comes back. A click takes an entry out or back in; a double click, or one with Shift, shows it alone. Of values a
// range is chosen.

class Legend {
  // onchange(): called when the person has chosen.
  constructor(onchange) {
    this.onchange = onchange
    this.node = make("div", "legend")
    this.select = make("select")
    this.word = make("span")
    const label = make("label", "by")
    label.append(this.word, this.select)
    this.entries = make("div", "entries")
    this.entries.setAttribute("role", "group")
    this.all = make("button", "chip all", { type: "button", hidden: true })
    this.node.append(label, this.entries, this.all)
    this.hidden = new Map() // colouring's name: set of its codes that are not shown
    this.ranges = new Map() // colouring's name: the values that are, { low, high }
    this.range = new Range(filter => {
      if (filter) this.ranges.set(this.chosen, filter)
      else this.ranges.delete(this.chosen)
      this.#changed()
    })
    this.select.addEventListener("change", () => {
      this.chosen = this.select.value
      onchange()
    })
    this.all.addEventListener("click", () => {
      this.hidden.clear()
      this.ranges.clear()
      this.#changed()
    })
  }

  // colourings: [{ name, title, names } or { name, title, low, high }, ...]
  describe(colourings, chosen, texts) {
    Object.assign(this, { colourings, texts })
    this.word.textContent = texts.by
    this.all.textContent = texts.all
    this.entries.setAttribute("aria-label", texts.legend)
    this.select.replaceChildren(...colourings.map(({ name, title }) => new Option(title, name)))
    const known = name => colourings.some(one => one.name === name)
    if (!known(this.chosen)) this.chosen = known(chosen) ? chosen : colourings[0]?.name
    for (const kept of [this.hidden, this.ranges]) for (const name of [...kept.keys()]) known(name) || kept.delete(name)
    if (this.chosen) this.select.value = this.chosen
    this.node.hidden = !colourings.length
    this.key = null
  }

  get colouring() {
    return this.colourings.find(one => one.name === this.chosen)
  }

  // What filters: [colouring's name, hides(code or value)] pairs; a value that is not known is in no range.
  get filters() {
    const codes = [...this.hidden].filter(([, codes]) => codes.size).map(([name, codes]) => [name, code => codes.has(code)])
    const ranges = [...this.ranges].map(([name, { low, high }]) => [name, value => !(low <= value && value <= high)])
    return [...codes, ...ranges]
  }

  // Draw the entries. colours: of the codes, or of a scale from low to high; counts: points of each code.
  draw(colours, counts) {
    const { colouring, texts } = this
    const key = JSON.stringify([colouring, colours, counts, texts])
    if (key !== this.key) {
      this.key = key
      this.chips = (colouring?.names ?? []).map((name, code) => this.#chip(code, name, colours[code], counts[code]))
      this.entries.replaceChildren(...(colouring?.names ? this.chips : this.#scale(colours)))
    }
    this.#refresh()
  }

  #chip(code, name, colour, count) {
    const { texts } = this
    const chip = make("button", "chip", { type: "button", title: fill(texts.filter, { name }) })
    const dot = make("i")
    dot.style.background = toCss(colour)
    chip.append(dot, document.createTextNode(name), make("small", "", { textContent: count.toLocaleString() }))
    chip.hidden = !count
    chip.addEventListener("click", event => (event.shiftKey ? this.#isolate(code) : this.#toggle(code)))
    chip.addEventListener("dblclick", event => event.shiftKey || this.#isolate(code)) // two clicks undo each other
    return chip
  }

  #scale(colours) {
    if (!this.colouring) return []
    this.range.describe(this.colouring, colours, this.texts.range)
    return [this.range.node]
  }

  #codes() {
    if (!this.hidden.has(this.chosen)) this.hidden.set(this.chosen, new Set())
    return this.hidden.get(this.chosen)
  }

  #toggle(code) {
    const codes = this.#codes()
    if (!codes.delete(code)) codes.add(code)
    this.#changed()
  }

  #isolate(code) {
    const others = this.chips.map((_, i) => i).filter(i => i !== code && !this.chips[i].hidden)
    const codes = this.#codes()
    const alone = !codes.has(code) && others.every(other => codes.has(other))
    this.hidden.set(this.chosen, new Set(alone ? [] : others))
    this.#changed()
  }

  #changed() {
    this.#refresh()
    this.onchange()
  }

  #refresh() {
    const codes = this.hidden.get(this.chosen)
    this.chips?.forEach((chip, code) => chip.setAttribute("aria-pressed", String(!codes?.has(code))))
    if (this.colouring && !this.colouring.names) this.range.put(this.ranges.get(this.chosen))
    this.all.hidden = !this.filters.length
  }
}

function short(value) {
  const text = Math.abs(value) >= 1000 || (value && Math.abs(value) < 0.001) ? value.toExponential(1) : value.toPrecision(2)
  return String(Number(text)).replace("-", "−")
}
