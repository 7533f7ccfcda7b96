// The same pictures of several models: all are in one sheet, so that the slider needs no server. State is kept per
// element: the default export runs again on every change of data.
const sweeps = new WeakMap()

class Sweep {
  constructor(root, rest) {
    this.root = root
    this.at = -1
    this.rest = rest
    this.name = make("strong", "name")
    this.track = new Track({
      start: () => {},
      move: index => this.show(index),
      end: () => this.rest(this.at),
    })
    const line = make("div", "line")
    line.append(this.name, this.track.node)
    this.figures = make("p", "figures")
    this.rows = make("div", "rows")
    this.track.node.addEventListener("keydown", event => this.#key(event))
    root.replaceChildren(line, this.figures, this.rows)
  }

  async update(data) {
    const same = this.data?.sheet === data.sheet
    this.data = data
    const last = data.names.length - 1
    this.track.last = last
    this.track.mark(data.names.map((_, index) => index / Math.max(1, last)))
    this.track.describe({ label: data.label, low: 0, high: last })
    this.root.setAttribute("aria-label", data.label)
    if (this.at < 0 || this.at > last) this.at = data.start
    if (same) return this.show(this.at)
    this.canvases = data.rows.map(() => make("canvas"))
    this.canvases.forEach(canvas => canvas.setAttribute("role", "img"))
    this.rows.replaceChildren(
      ...data.rows.flatMap(({ title }, index) => [make("h4", "", { textContent: title }), this.canvases[index]]),
    )
    const image = new Image()
    image.src = `data:image/png;base64,${data.sheet}`
    try {
      await image.decode()
    } catch {
      return // a damaged sheet leaves the rows empty
    }
    if (this.data !== data && this.data.sheet !== data.sheet) return // a newer one is on its way
    this.image = image
    this.show(this.at)
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const to = keyLeads(event, this.at, this.track.last, this.track.last)
    if (to === undefined) return
    event.preventDefault()
    if (to === this.at) return
    this.show(to)
    this.rest(to)
  }

  show(index) {
    this.at = index
    const { names, figures } = this.data
    this.name.textContent = names[index]
    this.figures.textContent = figures[index]
    this.track.put(index)
    this.track.tell(index, `${names[index]}: ${figures[index]}`)
    if (this.image) this.#draw()
  }

  #draw() {
    const { data, image, at } = this
    const height = data.size[1]
    const times = Math.max(1, Math.ceil(1400 / image.naturalWidth)) // whole, so that every pixel is as large as the next
    data.rows.forEach((row, index) => {
      const canvas = this.canvases[index]
      const top = (row.first + (row.moves ? at : 0)) * height
      canvas.width = times * image.naturalWidth
      canvas.height = times * height
      const context = canvas.getContext("2d")
      context.imageSmoothingEnabled = false
      context.drawImage(image, 0, top, image.naturalWidth, height, 0, 0, canvas.width, canvas.height)
      canvas.setAttribute("aria-label", row.moves ? `${row.title}, ${data.names[at]}` : row.title)
    })
    this.root.dataset.at = at
  }
}

export default function ({ data: [data] = [], parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".sweep")
  if (!root || !data) return
  const rest = at => setTriggerValue("rest", at)
  let sweep = sweeps.get(parentElement)
  if (!sweep) sweeps.set(parentElement, (sweep = new Sweep(root, rest)))
  sweep.rest = rest
  sweep.update(data)
  return () => sweeps.delete(parentElement)
}
