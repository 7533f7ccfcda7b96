// What points are coloured by and which are shown: the choice of a colouring, and the legend, whose entries filter.
//
// A filter belongs to what it was made with and stays when the colouring changes. A click shows an entry alone, or all
// again; one with Shift or Ctrl adds it or takes it out. Of values a range is chosen. Python hears of all that, for the
// link, and may say what there is to be seen.
const UNKNOWN_CODE = -1 // as `UNKNOWN` in look.py
const TELL_MS = 250 // without a change, after which Python is told

class Legend {
  // onchange(): called when the person has chosen; onlook(look): a moment later, when that is settled;
  // `of` tells of which map.
  constructor(onchange, onlook) {
    Object.assign(this, { onchange, onlook })
    this.only = new Map() // colouring's name: set of its codes that are shown
    this.ranges = new Map() // colouring's name: the values that are, { low, high }
    this.reported = [] // looks that Python was told of, and has not sent back yet
    this.#build()
    this.range = new Range(filter => {
      if (this.drawn !== this.chosen) return // it is that of another colouring still
      if (filter) this.ranges.set(this.chosen, filter)
      else this.ranges.delete(this.chosen)
      this.#changed()
    })
  }

  #build() {
    this.node = make("div", "legend")
    this.select = make("select")
    this.word = make("span")
    const label = make("label", "by")
    label.append(this.word, this.select)
    this.entries = make("div", "entries")
    this.entries.setAttribute("role", "group")
    this.all = make("button", "chip all", { type: "button" })
    this.node.append(label, this.all, this.entries)
    this.select.addEventListener("change", () => {
      this.chosen = this.select.value
      this.#changed()
    })
    this.all.addEventListener("click", () => {
      if (this.all.matches(":focus-visible")) this.select.focus() // the button goes
      this.only.clear()
      this.ranges.clear()
      this.#changed()
    })
  }

  close() {
    clearTimeout(this.telling)
  }

  // colourings: [{ name, title, names } or { name, title, low, high }, ...]; first: the name of that which a map begins
  // with; look: from Python, see `scene.py`.
  describe({ colourings, colouring, texts, look, key, series }) {
    const known = name => colourings.some(one => one.name === name)
    const first = known(colouring) ? colouring : colourings[0]?.name
    if (look.colour === null && this.chosen === this.first) this.chosen = first
    if (JSON.stringify(colourings) !== JSON.stringify(this.colourings)) this.drawn = null
    Object.assign(this, { colourings, texts, first, of: series || key })
    this.#take(look)
    this.word.textContent = texts.by
    this.all.textContent = texts.all
    this.entries.setAttribute("aria-label", texts.legend)
    const titles = JSON.stringify(colourings.map(({ name, title }) => [title, name]))
    if (titles !== this.titles) this.select.replaceChildren(...JSON.parse(titles).map(one => new Option(...one)))
    if (!known(this.chosen)) this.chosen = this.first
    for (const kept of [this.only, this.ranges]) for (const name of [...kept.keys()]) known(name) || kept.delete(name)
    if (this.chosen) this.select.value = this.chosen
    this.titles = titles
    this.node.hidden = !colourings.length
  }

  // Take over a look that did not begin here: what comes back of what Python was told may be old already.
  #take(look) {
    const text = JSON.stringify(look)
    const at = this.reported.lastIndexOf(text)
    if (at < 0 && text !== this.given) {
      this.chosen = look.colour ?? this.first
      this.only = new Map(look.classes.map(([name, codes]) => [name, new Set(codes)]))
      this.ranges = new Map(look.ranges.map(([name, low, high]) => [name, { low: low ?? -Infinity, high: high ?? Infinity }]))
    }
    this.reported.splice(0, at + 1)
    this.given = text
  }

  get look() {
    const end = value => (Number.isFinite(value) ? value : null)
    return {
      colour: this.chosen === this.first ? null : this.chosen,
      classes: [...this.only].map(([name, codes]) => [name, [...codes].sort((a, b) => a - b)]),
      ranges: [...this.ranges].map(([name, { low, high }]) => [name, end(low), end(high)]),
    }
  }

  // Titles of what filters, which need not be what colours.
  get filtering() {
    return this.colourings.filter(({ name }) => this.only.has(name) || this.ranges.has(name)).map(({ title }) => title)
  }

  get colouring() {
    return this.colourings.find(one => one.name === this.chosen)
  }

  // What filters: [colouring's name, hides(code or value)] pairs; a value that is not known is in no range.
  get filters() {
    const codes = [...this.only].map(([name, codes]) => [name, code => !codes.has(code)])
    const ranges = [...this.ranges].map(([name, { low, high }]) => [name, value => !(low <= value && value <= high)])
    return [...codes, ...ranges]
  }

  // Draw the entries. colours: of the codes, or of a scale from low to high; counts: points of each code, of none last.
  draw(colours, counts) {
    const { colouring, texts } = this
    const key = JSON.stringify([colouring, colours, counts, texts])
    if (key !== this.key) {
      this.key = key
      const names = (colouring?.names ?? []).map((name, code) => [code, name, colours[code], counts[code]])
      const every = [...names, [UNKNOWN_CODE, texts.unknown, UNKNOWN, counts.at(-1)]].filter(([, , , count]) => count)
      this.chips = new Map(colouring?.names ? every.map(([code, ...entry]) => [code, this.#chip(code, ...entry)]) : [])
      this.entries.replaceChildren(...(colouring?.names ? this.chips.values() : this.#scale(colours)))
    }
    this.drawn = this.chosen
    this.#refresh()
  }

  #chip(code, name, colour, count) {
    const chip = make("button", "chip", { type: "button", title: fill(this.texts.filter, { name }) })
    const dot = make("i")
    dot.style.background = toCss(colour)
    chip.append(dot, document.createTextNode(name), make("small", "", { textContent: count.toLocaleString() }))
    chip.addEventListener("click", event => this.#choose(code, event))
    chip.addEventListener("keydown", event => {
      if (!["Enter", " "].includes(event.key) || !adds(event)) return // without Shift and Ctrl it is a click
      event.preventDefault()
      this.#choose(code, event)
    })
    return chip
  }

  #scale(colours) {
    if (!this.colouring) return []
    this.range.describe(this.colouring, colours, this.texts.range)
    return [this.range.node]
  }

  // Show a code alone, or all again where it is; or add it, or take it out.
  #choose(code, event) {
    if (this.drawn !== this.chosen) return
    const every = [...this.chips.keys()]
    const before = this.only.get(this.chosen) ?? new Set(every)
    const alone = before.size === 1 && before.has(code)
    const now = adds(event) ? new Set(before) : new Set(alone ? every : [code])
    if (adds(event) && !now.delete(code)) now.add(code)
    if (!now.size || every.every(one => now.has(one))) this.only.delete(this.chosen)
    else this.only.set(this.chosen, now)
    this.#changed()
  }

  #changed() {
    this.#refresh()
    this.onchange()
    clearTimeout(this.telling)
    const { of } = this
    this.telling = setTimeout(() => {
      this.reported.push(JSON.stringify(this.look))
      this.onlook({ of, ...this.look })
    }, TELL_MS)
  }

  #refresh() {
    this.all.classList.toggle("needless", !this.filters.length)
    if (this.drawn !== this.chosen) return // the entries come with the colours
    const codes = this.only.get(this.chosen)
    this.chips?.forEach((chip, code) => chip.setAttribute("aria-pressed", String(codes?.has(code) ?? true)))
    if (this.colouring && !this.colouring.names) this.range.put(this.ranges.get(this.chosen))
  }
}

function adds(event) {
  return event.shiftKey || event.ctrlKey || event.metaKey
}

function short(value) {
  const text = Math.abs(value) >= 1000 || (value && Math.abs(value) < 0.001) ? value.toExponential(1) : value.toPrecision(2)
  return String(Number(text)).replace("-", "−")
}
