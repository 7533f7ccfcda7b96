// A map of thousands of points, or a few of the same model side by side.
//
// Side by side they have one legend, and show what one does with a point on the others, where these have it: filters and
// colours, the point under the pointer, selections, what a search found. Samples, a path and a person's own image have
// places on the first map, the lead, alone. Python hears of a point that was clicked and of
// points that were selected, by their own indices in their map; all else stays here.
const groups = new WeakMap()

class Maps {
  constructor(root) {
    this.root = root
    this.panes = []
    this.working = 0 // promises that are to be kept before this rests
    this.legend = new Legend(
      () => this.#recolour(),
      look => this.report("look", look),
    )
    this.row = make("div", "panes")
    this.status = make("div", "status")
    this.status.setAttribute("role", "status")
    this.#count(1)
    root.replaceChildren(this.legend.node, this.#lead.layers.node, this.row, this.status)
    root.figures = this.#lead.stage.figures
  }

  get #lead() {
    return this.panes[0]
  }

  close() {
    cancelAnimationFrame(this.wish)
    this.legend.close()
    this.panes.forEach(pane => pane.close())
  }

  update(data) {
    return this.#work(this.#update(data))
  }

  // Rest no earlier than a promise is kept.
  async #work(promise) {
    this.working++
    this.settle()
    await promise.finally(() => this.working--)
    this.settle()
  }

  async #update(data) {
    this.data = data
    const { texts, beside } = data
    this.root.setAttribute("aria-label", texts.map)
    this.legend.describe(data)
    if (!this.#lead.points) this.say(texts.hint)
    const every = [data, ...beside.map(one => ({ ...data, ...one, path: [], extras: [], own: null, here: null }))]
    const keys = every.map(({ key }) => key).join(" ")
    if (this.root.dataset.ready !== keys) this.root.removeAttribute("data-ready")
    this.#count(every.length)
    const loads = every.map((one, i) => this.panes[i].update(one))
    if (!(await loads[0]) || !(await this.#colour())) return
    if (beside.length && (!(await Promise.all(loads)).every(Boolean) || !(await this.#colour()))) return
    if (this.data !== data) return
    this.#ring(data)
    if (data.focus) this.#lead.visit(data.focus)
    this.root.dataset.ready = keys
  }

  // Have as many panes as there are maps.
  #count(count) {
    while (this.panes.length > count) this.panes.pop().close()
    while (this.panes.length < count) {
      const pane = new Pane(this)
      this.panes.push(pane)
      this.row.append(pane.node)
    }
  }

  // Ring what was found, on all maps that have it.
  #ring({ found }) {
    const { points } = this.#lead
    const rows = Array.from(new Int32Array(decodeBytes(found).buffer), index => points.ranks[index])
    for (const pane of this.panes) {
      pane.ring(rows.map(row => points.rowOn(pane.points, row)).filter(row => row >= 0))
    }
  }

  // Colour all maps as the first one; tells whether that could be done, and was not changed meanwhile.
  async #colour() {
    const [lead, ...others] = this.panes
    if (!(await lead.colour())) return false
    this.#hint()
    return (await Promise.all(others.filter(({ points }) => points).map(pane => pane.colour(lead)))).every(Boolean)
  }

  // Say what is filtered and what can be done, unless the keyboard steers and hears of where it is.
  #hint() {
    const { texts } = this.data
    if (this.panes.some(({ steering }) => steering)) return
    const by = this.legend.filtering.join(", ")
    if (!by) this.say(texts.hint)
    else if (this.#lead.empty) this.say(fill(texts.none, { by }))
    else this.say(`${fill(texts.filtered, { by })} ${texts.hint}`)
  }

  // A handle of the legend moves more often than there are frames.
  #recolour() {
    this.wish ||= requestAnimationFrame(() => {
      this.wish = 0
      this.#work(this.#colour())
    })
    this.settle()
  }

  // What panes ask for -----------------------------------------------------------------------------------------

  draw(pane, colours) {
    if (pane === this.#lead) this.legend.draw(colours, pane.counts)
  }

  // Say so when nothing is to be drawn or fetched any more.
  settle() {
    const rests = !this.working && !this.wish && this.panes.every(({ stage }) => stage.rests)
    this.root.toggleAttribute("data-rest", rests)
  }

  say(sentence) {
    this.status.textContent = sentence
  }

  connected() {
    this.root.dataset.state = this.panes.find(({ live }) => !live)?.state ?? "live"
  }

  // The points of a map that is shown, undefined for another one.
  pointsOf(key) {
    return this.panes.find(({ shows }) => shows === key)?.points
  }

  // Ring a pane's row on the others; -1: none.
  share(from, row) {
    for (const pane of this.panes) {
      if (pane !== from && pane.points) pane.echo(row < 0 ? -1 : from.points.rowOn(pane.points, row))
    }
  }
}

export default function ({ data: [data] = [], parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".latent-map")
  if (!root || !data) return
  let group = groups.get(parentElement)
  if (!group) groups.set(parentElement, (group = new Maps(root)))
  group.report = (name, value) => setTriggerValue(name, value)
  group.update(data)
  return () => {
    group.close()
    groups.delete(parentElement)
  }
}
