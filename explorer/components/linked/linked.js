// Several models at one place. What they share is how far each has moved along the shared directions from its own start,
// `moves`; sliders, the plane and a drag over any picture set it for all of them at once. Each has a stream of its own:
// pictures come as each model has them, and none waits for another.
const components = new WeakMap()
const LOST_MS = 600 // most connections are back before anybody has read that they were lost
const BESIDE = 820 // CSS pixels, from which the sliders stand beside two pictures
const ONE_ROW = 760 // from which four pictures stand in a row
const GAP = 20
const PICTURES = 0.56 // of the width, beside the sliders
const TALLEST = { 1: 0.42, 2: 0.26 } // of the window's height, by rows of pictures
const SMALLEST = 128 // CSS pixels

class Linked extends Mover {
  constructor(root) {
    super()
    this.root = root
    this.moves = new Map()
    this.rivals = []
    this.field.showKeep(false, false)
    this.#build()
    this.unwatch = onResize(root, () => this.#fit())
  }

  close() {
    super.close()
    this.unwatch()
    clearTimeout(this.notice)
    this.rivals.forEach(rival => rival.close())
  }

  // Building ------------------------------------------------------------------------------------------------

  #build() {
    this.pictures = make("div", "rivals")
    this.status = make("div", "status")
    this.status.setAttribute("role", "status")
    const sliders = make("div", "sliders")
    sliders.append(...this.dials.nodes)
    const side = make("div", "side")
    side.append(sliders, this.field.node)
    const stage = make("div", "together")
    stage.append(this.pictures, this.status)
    this.root.replaceChildren(stage, side)
  }

  // Data from Python ----------------------------------------------------------------------------------------

  update(data) {
    const before = this.data
    this.data = data
    if (!before || JSON.stringify([before.axes, before.texts]) !== JSON.stringify([data.axes, data.texts])) this.#describe()
    this.#cast(data)
    this.#take(data, before)
    this.#fit()
    this.show()
    this.root.dataset.serial = data.serial
  }

  #describe() {
    const { axes, texts } = this.data
    this.axes = axes.names.length > 1 ? [0, 1] : [0, 0]
    this.active = 0
    this.root.setAttribute("aria-label", texts.linked)
    this.dials.describe(axes, texts.more)
    this.field.describe(axes.names, { keep: "", keepHint: "", ...texts })
  }

  #cast({ rivals, real, texts, url }) {
    if (this.rivals.length !== rivals.length) {
      this.rivals.forEach(rival => rival.close())
      this.rivals = rivals.map((_, i) => this.#rival(i))
      this.pictures.replaceChildren(...this.rivals.map(rival => rival.node))
    }
    this.rivals.forEach((rival, i) => rival.describe(rivals[i], real, texts, url))
    this.#connection()
  }

  #rival(number) {
    return new Rival(number, {
      drag: this.drag,
      state: () => this.#connection(),
      drawn: () => this.showing && this.show(),
      open: () => this.tell("open", { ...this.place(), rival: number }),
    })
  }

  #take(data, before) {
    const heard = this.hear(this.keyOf(data))
    if (heard === "elsewhere") {
      this.moves = new Map(data.moves)
      this.#drawGiven(() => true)
    } else if (this.idle) {
      // After a move: who had no live picture. Otherwise: who has learned since, whose place shows something else.
      if (heard === "echo") this.#drawGiven(rival => !rival.live)
      else this.#drawGiven((rival, i) => before.rivals[i].model !== data.rivals[i].model)
    }
  }

  #drawGiven(which) {
    this.rivals.filter(which).forEach(rival => rival.drawGiven(this.moves))
  }

  #connection() {
    const { texts } = this.data
    const lost = this.rivals.some(rival => rival.state === "lost")
    clearTimeout(this.notice)
    this.notice = setTimeout(() => (this.status.textContent = lost ? texts.lost : texts.hint), lost ? LOST_MS : 0)
  }

  // Moving --------------------------------------------------------------------------------------------------

  coordinate(direction) {
    return this.moves.get(direction) ?? 0
  }

  put(targets, stamp) {
    targets.forEach(([k, value]) => this.moves.set(k, value))
    this.#go(stamp)
  }

  takeBack(directions) {
    directions.forEach(k => this.moves.delete(k))
    this.#go(null)
  }

  #go(stamp) {
    this.moved = true
    this.rivals.forEach(rival => rival.put(this.moves, stamp))
    const following = stamp === null ? [] : this.rivals.filter(rival => rival.live)
    this.showWith(Math.min(...following.map(rival => rival.stream.statistics.latency)))
  }

  place() {
    const moves = [...this.moves].map(([k, by]) => [k, Math.round(1e4 * by) / 1e4 || 0]).sort(([a], [b]) => a - b)
    return { serial: this.data.serial, moves }
  }

  keyOf({ serial, moves }) {
    return JSON.stringify([serial, moves])
  }

  // Showing -------------------------------------------------------------------------------------------------

  present() {
    const at = k => this.coordinate(k)
    this.dials.list.forEach((dial, k) => dial.show(at(k), 0, this.moves.has(k), k === this.active))
    this.field.show(this.axes, this.axes.map(at), [0, 0])
  }

  #fit() {
    const width = this.root.clientWidth
    const count = this.rivals.length
    if (!width || !count) return
    const beside = count === 2 && width >= BESIDE
    const columns = count === 4 && width < ONE_ROW ? 2 : count
    this.root.classList.toggle("beside", beside)
    this.pictures.style.setProperty("--columns", columns)
    const wide = ((beside ? PICTURES : 1) * width - GAP * (columns - 1)) / columns
    const tall = innerHeight * TALLEST[count / columns]
    this.rivals.forEach(rival => rival.picture.fit(Math.min(wide, Math.max(SMALLEST, tall)), rival.data.shape))
  }
}

export default function ({ data: [data] = [], parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".linked")
  if (!root || !data) return
  let linked = components.get(parentElement)
  if (!linked) components.set(parentElement, (linked = new Linked(root)))
  linked.tell = setTriggerValue
  linked.update(data)
  return () => {
    linked.close()
    components.delete(parentElement)
  }
}
