// Several models at one place. What they share is how far each has moved along the shared directions from its own start,
// `moves`; sliders, the plane and a drag over any picture set it for all of them at once. Each has a stream of its own:
// pictures come as each model has them, and none waits for another.
//
// As in the latent pad, a place has a key, made of what Python says it starts from and of the moves. Data with a key that
// was reported from here is an echo and changes nothing; any other is somewhere else to go to.
const components = new WeakMap()
const PAUSE_MS = 300 // after the last key or turn of the wheel, before Python hears of it
const PATIENCE_MS = 2000 // for Python's answer
const SHOW_MS = 10 // that sliders wait for the first picture they belong to
const LOST_MS = 600 // most connections are back before anybody has read that they were lost
const BESIDE = 820 // CSS pixels, from which the sliders stand beside two pictures
const ONE_ROW = 760 // from which four pictures stand in a row
const GAP = 20
const PICTURES = 0.56 // of the width, beside the sliders
const TALLEST = { 1: 0.42, 2: 0.26 } // of the window's height, by rows of pictures
const SMALLEST = 128 // CSS pixels

class Linked {
  constructor(root) {
    this.root = root
    this.moves = new Map()
    this.pending = [] // keys that Python was told and has not answered yet
    this.rivals = []
    this.#build()
    this.fit = () => this.#fit()
    this.observer = new ResizeObserver(this.fit)
    this.observer.observe(root)
    window.addEventListener("resize", this.fit)
  }

  close() {
    this.observer.disconnect()
    window.removeEventListener("resize", this.fit)
    for (const timer of [this.pause, this.showing, this.notice]) clearTimeout(timer)
    this.rivals.forEach(rival => rival.close())
  }

  // Building ------------------------------------------------------------------------------------------------

  #build() {
    this.dials = new Dials(k => ({
      start: () => this.#hold(k),
      move: (value, stamp) => this.#put([[k, value]], stamp),
      end: () => this.#release(),
      nudge: (value, stamp) => this.#nudge([[k, value]], stamp),
      reset: () => this.#reset([k]),
    }))
    const paired = pair => this.axes.map((k, i) => [k, pair[i]])
    this.field = new Field({
      start: () => this.#hold(this.axes[0]),
      move: (pair, stamp) => this.#put(paired(pair), stamp),
      end: () => this.#release(),
      nudge: (pair, stamp) => this.#nudge(paired(pair), stamp),
      reset: () => this.#reset(this.axes),
      choose: (axes, changed) => this.#chooseAxes(axes, changed),
    })
    this.field.showKeep(false, false)
    this.drag = {
      start: () => {
        this.#hold(this.axes[0])
        return this.axes.map(k => this.moves.get(k) ?? 0)
      },
      move: (pair, stamp) => {
        const { reach } = this.field
        this.#put(paired(pair.map(value => clamp(value, -reach, reach))), stamp)
      },
      end: () => this.#release(),
    }
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
    this.#show()
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
      drawn: () => this.showing && this.#show(),
      open: () => this.tell("open", { ...this.#place(), rival: number }),
    })
  }

  #take(data, before) {
    const key = this.#key(data)
    const idle = !this.busy && !this.pending.length
    const echo = this.pending.indexOf(key)
    if (echo >= 0) {
      this.pending = this.pending.slice(echo + 1)
      this.key = key
      if (!this.busy && !this.pending.length) this.#drawGiven(rival => !rival.live)
    } else if (key === this.key) {
      // One has learned since: the same place shows something else.
      if (idle) this.#drawGiven((rival, i) => before.rivals[i].model !== data.rivals[i].model)
      // A restart of the server may have lost what it was told.
      else if (!this.busy && performance.now() - this.reportedAt > PATIENCE_MS) this.#report()
    } else {
      this.key = key
      this.pending = []
      this.busy = false
      clearTimeout(this.pause)
      this.moves = new Map(data.moves)
      this.#drawGiven(() => true)
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

  #hold(direction) {
    clearTimeout(this.pause)
    this.busy = true
    this.active = direction
  }

  #put(targets, stamp) {
    targets.forEach(([k, value]) => this.moves.set(k, value))
    this.#go(stamp)
  }

  #go(stamp) {
    this.moved = true
    this.rivals.forEach(rival => rival.put(this.moves, stamp))
    // What moves on the page makes the browser begin a frame, which would come just before the pictures.
    if (stamp !== null && this.rivals.some(rival => rival.live)) this.showing ||= setTimeout(() => this.#show(), SHOW_MS)
    else this.#show()
  }

  #nudge(targets, stamp) {
    this.#hold(targets[0][0])
    this.#put(targets, stamp)
    this.#show() // the next press counts from here
    this.pause = setTimeout(() => this.#release(), PAUSE_MS)
  }

  #reset(directions) {
    this.#hold(directions[0])
    directions.forEach(k => this.moves.delete(k))
    this.#go(null)
    this.#release()
  }

  #release() {
    clearTimeout(this.pause)
    this.busy = false
    this.#show()
    if (this.moved) this.#report()
  }

  #place() {
    const moves = [...this.moves].map(([k, by]) => [k, Math.round(1e4 * by) / 1e4 || 0]).sort(([a], [b]) => a - b)
    return { serial: this.data.serial, moves }
  }

  #key({ serial, moves }) {
    return JSON.stringify([serial, moves])
  }

  #report() {
    this.moved = false
    const place = this.#place()
    const key = this.#key(place)
    if (key === this.key && !this.pending.length) return
    this.pending = [...this.pending.filter(one => one !== key), key]
    this.reportedAt = performance.now()
    this.tell("move", place)
  }

  #chooseAxes(axes, changed) {
    // The same direction twice would be a line: the two change places.
    if (axes[0] === axes[1]) axes[1 - changed] = this.axes[changed]
    this.axes = axes
    this.active = axes[changed]
    this.#show()
  }

  // Showing -------------------------------------------------------------------------------------------------

  #show() {
    clearTimeout(this.showing)
    this.showing = 0
    const at = k => this.moves.get(k) ?? 0
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
