// What colour each point has, and whether it is shown: a colouring and filters, as paints of the points.
const GENERATED = 2 // a source, see `models.embedding.maps.Source`
const UNKNOWN_PAINT = 255
const MOST_PAINTS = 250
const LETTER_PAINTS = { A: 251, B: 252 } // of points of selections

class Colouring {
  constructor() {
    this.columns = new Map() // what is known of all rows, by a colouring's name
    this.turn = 0
  }

  // Fetch what some colourings need; tell whether these are still the ones to show when it is here.
  async fetch(names, colourings, store, points) {
    const turn = ++this.turn
    await Promise.all(
      names
        .filter(name => !this.columns.has(name))
        .map(async name => {
          const { column, n } = colourings.find(one => one.name === name)
          this.columns.set(name, column === "sources" ? points.sources : await store.column(column, n))
        }),
    )
    return turn === this.turn
  }

  forget() {
    this.turn++
    this.columns.clear()
  }

  // Paint points; returns how many have each code of the colouring, where it has codes, and last how many have none.
  // colouring: { name, names } or { name, low, high }, or undefined; filters: [name, hides(code or value)] pairs.
  paint({ paint, count }, colouring, filters) {
    if (!colouring) paint.fill(UNKNOWN_PAINT)
    const counts = colouring?.names ? this.#codes(paint, colouring) : []
    if (colouring && !colouring.names) this.#scale(paint, colouring)
    for (const [name, hides] of filters) {
      const column = this.columns.get(name)
      for (let row = 0; row < count; row++) if (hides(column[row])) paint[row] = HIDDEN
    }
    return counts
  }

  #codes(paint, { name, names }) {
    const column = this.columns.get(name)
    const counts = [...names, ""].map(() => 0)
    column.forEach((code, row) => {
      counts[code < 0 ? names.length : code]++
      paint[row] = code < 0 ? UNKNOWN_PAINT : 1 + (code % MOST_PAINTS)
    })
    return counts
  }

  #scale(paint, { name, low, high }) {
    const factor = (RAMP - 1) / (high - low || 1)
    this.columns.get(name).forEach((value, row) => {
      const known = Number.isFinite(value)
      paint[row] = known ? 1 + Math.round(clamp((value - low) * factor, 0, RAMP - 1)) : UNKNOWN_PAINT
    })
  }

  // Words for a row: what it is called, and what the colours tell of it.
  // label: the colouring that names it, or undefined; numbers: templates of its number, by source.
  describe(row, points, { label, colouring, numbers }) {
    const parts = [...new Set([label, colouring])].filter(Boolean).map(({ name, names, title }) => {
      const value = this.columns.get(name)?.[row]
      return names ? (names[value] ?? "") : Number.isFinite(value) ? `${title} ${short(value)}` : ""
    })
    const [title, ...more] = parts.filter(Boolean)
    const words = fill(numbers[points.sources[row]] ?? "{n}", { n: points.numbers[row] })
    return title ? { title, words: [words, ...more].join(" · ") } : { title: words, words: "" }
  }
}
