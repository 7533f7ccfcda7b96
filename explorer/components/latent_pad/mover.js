// What moves a point along directions: sliders, a plane of two of them, a drag over a picture; and the talk with Python
// about where it is. Who extends it says
//   put([[direction, coordinate], ...], stamp)  to bring coordinates about, and to show them
//   takeBack(directions)                        to undo what was set along some
//   coordinate(direction)                       where the point is
//   place()                                     what Python is told of that
//   keyOf(place)                                what a place is recognised by
//   present()                                   to show where the point is
//
// Data with the key of a place that was reported from here is an echo and changes nothing; any other is somewhere else
// to go to.
const PAUSE_MS = 300 // after the last key or turn of the wheel, before Python hears of it
const PATIENCE_MS = 10_000 // for Python's answer, at first
const ANEW_MS = 2000 // for it after a run of the page that did not hold it, such as the first of a new server
const TRIES = 4
const SHOW_MS = 25 // that sliders wait at most for the picture they belong to

class Mover {
  constructor() {
    this.pending = [] // keys that Python was told and has not answered yet
    this.axes = [0, 0] // directions of the plane, and of a drag
    this.active = 0 // the direction that moved last
    this.dials = new Dials(k => ({
      start: () => this.#hold(k),
      move: (value, stamp) => this.put([[k, value]], stamp),
      end: () => this.#release(),
      nudge: (value, stamp) => this.#nudge([[k, value]], stamp),
      reset: () => this.#reset([k]),
    }))
    this.field = new Field({
      start: () => this.#hold(this.axes[0]),
      move: (pair, stamp) => this.put(this.#paired(pair), stamp),
      end: () => this.#release(),
      nudge: (pair, stamp) => this.#nudge(this.#paired(pair), stamp),
      reset: () => this.#reset(this.axes),
      choose: (axes, changed) => this.#choose(axes, changed),
      keep: keep => this.tell("keep", keep),
    })
    this.drag = {
      start: () => {
        this.#hold(this.axes[0])
        return this.axes.map(k => this.coordinate(k))
      },
      move: (pair, stamp) => {
        const { reach } = this.field
        this.put(this.#paired(pair.map(value => clamp(value, -reach, reach))), stamp)
      },
      end: () => this.#release(),
    }
  }

  close() {
    for (const timer of [this.pause, this.reminder, this.showing]) clearTimeout(timer)
  }

  #paired(pair) {
    return this.axes.map((k, i) => [k, pair[i]])
  }

  // Moving --------------------------------------------------------------------------------------------------

  #hold(direction) {
    clearTimeout(this.pause)
    this.busy = true
    this.active = direction
  }

  #nudge(targets, stamp) {
    this.#hold(targets[0][0])
    this.put(targets, stamp)
    this.show() // the next press counts from here
    this.pause = setTimeout(() => this.#release(), PAUSE_MS)
  }

  #reset(directions) {
    this.#hold(directions[0])
    this.takeBack(directions)
    this.#release()
  }

  #release() {
    clearTimeout(this.pause)
    this.busy = false
    this.show()
    if (this.moved) this.report()
  }

  #choose(axes, changed) {
    // The same direction twice would be a line: the two change places.
    if (axes[0] === axes[1]) axes[1 - changed] = this.axes[changed]
    this.axes = axes
    this.active = axes[changed]
    this.show()
  }

  // Showing -------------------------------------------------------------------------------------------------

  show() {
    clearTimeout(this.showing)
    this.showing = 0
    this.present()
  }

  // What moves on the page makes the browser begin a frame, which would come just before a picture that is on its way:
  // they move together, unless the picture takes long. latency: in how many milliseconds it is likely to come, Infinity
  // if none will.
  showWith(latency) {
    if (latency < SHOW_MS) this.showing ||= setTimeout(() => this.show(), SHOW_MS)
    else this.show()
  }

  // Talking with Python -------------------------------------------------------------------------------------

  get idle() {
    return !this.busy && !this.pending.length
  }

  report() {
    this.moved = false
    const place = this.place()
    const key = this.keyOf(place)
    if (key === this.key && !this.pending.length) return
    this.pending = [...this.pending.filter(one => one !== key), key]
    this.tell("move", place)
    this.tries = TRIES
    this.#expect(PATIENCE_MS)
  }

  // A restart of the server loses what it was told: it is told again, some times.
  #expect(patience) {
    clearTimeout(this.reminder)
    this.reminder = setTimeout(() => {
      if (!this.tries) this.pending = []
      if (!this.pending.length) return
      this.#expect(2 * patience)
      if (this.busy) return
      this.tries--
      this.tell("move", this.place())
    }, patience)
  }

  // Take a key from Python; returns whether it is an "echo", the "same" place as before or "elsewhere".
  hear(key) {
    const echo = this.pending.indexOf(key)
    const heard = echo >= 0 ? "echo" : key === this.key ? "same" : "elsewhere"
    this.key = key
    if (heard === "echo") this.pending = this.pending.slice(echo + 1)
    if (heard === "same" && this.pending.length) this.#expect(ANEW_MS)
    if (heard === "elsewhere") {
      this.pending = []
      this.busy = false
      clearTimeout(this.pause)
    }
    return heard
  }
}
