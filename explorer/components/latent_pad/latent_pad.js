// The picture of a latent, and everything that moves it: sliders, a plane of two directions, the picture itself, a
// filmstrip. While it moves, the picture comes over the live socket; Python hears of the place once it is reached.
//
// `target` is where the point is put, `z` what is drawn: they differ only while the latent eases from one to the
// other. A place has a key, made of what Python says it starts from (`serial`) and of the edits. Data with a key that
// was reported from here is an echo and changes nothing; any other is somewhere else to go to.
const pads = new WeakMap()
const PICTURE_PRIORITY = 0
const FILM_PRIORITY = 3
const FILM_MS = 90 // between filmstrips while something moves
const PAUSE_MS = 300 // after the last key or turn of the wheel, before Python hears of it
const PATIENCE_MS = 2000 // for Python's answer
const EASE_MS = 60 // time constant
const CLOSE = 1e-3 // sd: there
const SAME = 0.02 // sd: what rounding may move an echo by
const SHOW_MS = 10 // that sliders wait for the picture they belong to
const FEW = 4 // sliders
const NARROW = 560 // CSS pixels

function keyOf(serial, edits) {
  return JSON.stringify([serial, edits])
}

class LatentPad {
  constructor(root) {
    this.root = root
    this.still = matchMedia("(prefers-reduced-motion: reduce)")
    this.pending = [] // keys that Python was told and has not answered yet
    this.touched = new Set() // directions whose coordinates are set, those of the data included
    this.frame = 0
    this.pace = new Pace(reply => this.#drawReply(reply))
    this.state = "connecting"
    this.#build()
    this.fit = () => this.#fit()
    this.observer = new ResizeObserver(this.fit)
    this.observer.observe(this.root)
    window.addEventListener("resize", this.fit)
    document.addEventListener("fullscreenchange", this.fit)
    this.ticker = setInterval(() => this.stream && this.stage.figures(this.stream.statistics), 500)
  }

  close() {
    this.observer.disconnect()
    window.removeEventListener("resize", this.fit)
    document.removeEventListener("fullscreenchange", this.fit)
    clearInterval(this.ticker)
    clearTimeout(this.pause)
    clearTimeout(this.filmTimer)
    clearTimeout(this.showing)
    this.pace.drop()
    cancelAnimationFrame(this.frame)
    this.stream?.close()
    this.filmStream?.close()
  }

  // Building ------------------------------------------------------------------------------------------------

  #build() {
    const moves = k => ({
      start: () => this.#hold(k),
      move: (value, stamp) => this.#put([[k, value]], stamp),
      end: () => this.#release(),
      nudge: (value, stamp) => this.#nudge([[k, value]], stamp),
      reset: () => this.#reset([k]),
    })
    this.dials = new Dials(moves)
    this.field = new Field({
      start: () => this.#hold(this.axes[0]),
      move: (pair, stamp) => this.#put(this.axes.map((k, i) => [k, pair[i]]), stamp),
      end: () => this.#release(),
      nudge: (pair, stamp) => this.#nudge(this.axes.map((k, i) => [k, pair[i]]), stamp),
      reset: () => this.#reset(this.axes),
      choose: (axes, changed) => this.#chooseAxes(axes, changed),
      keep: keep => this.tell("keep", keep),
    })
    this.film = new Film({
      open: value => {
        this.#put([[this.active, value]], null, true)
        this.#report()
      },
      choose: k => {
        this.active = k
        this.#show()
      },
    })
    this.stage = new Stage({
      start: () => {
        this.#hold(this.axes[0])
        return this.#coordinates(this.axes)
      },
      move: (pair, stamp) => {
        const { reach } = this.field
        this.#put(this.axes.map((k, i) => [k, clamp(pair[i], -reach, reach)]), stamp)
      },
      end: () => this.#release(),
    })
    this.picture = this.stage.picture
    const side = make("div", "side")
    side.append(...this.dials.nodes, this.field.node)
    this.root.replaceChildren(this.stage.node, side, this.film.node)
  }

  // Data from Python ----------------------------------------------------------------------------------------

  update(data) {
    const before = this.data
    this.data = data
    this.space = new Space(data.dim, decodeFloats(data.axes.vectors), decodeFloats(data.moves))
    this.field.showKeep(data.overlap || this.space.keeps, this.space.keeps)
    this.from = decodeFloats(data.start)
    const described = one => {
      const { name, shape, film, texts, alt, axes } = one
      return JSON.stringify([name, shape, film, texts, alt, { ...axes, vectors: "" }])
    }
    if (!before || described(before) !== described(data)) this.#describe(before)
    if (before?.model !== data.model || before?.url !== data.url) this.#open()
    this.#take(data, before)
    this.#fit()
    this.#show()
  }

  #fit() {
    const width = this.root.clientWidth
    if (!this.data || !width) return
    this.root.classList.toggle("narrow", width < NARROW)
    this.stage.fit(this.data.shape, width, width < NARROW)
  }

  #describe(before) {
    const { axes, texts, shape, film } = this.data
    if (!before || before.axes.name !== axes.name || before.name !== this.data.name) {
      this.axes = this.data.pad.filter(k => k < axes.names.length)
      while (this.axes.length < 2) this.axes.push(0) // a latent of one dimension
      this.active = this.axes[0]
    }
    this.dials.describe(axes, texts.more)
    this.root.classList.toggle("few", axes.names.length <= FEW) // the plane takes the room that sliders leave
    this.field.describe(axes.names, texts)
    this.film.describe(axes.names, texts, film, shape)
    this.root.setAttribute("aria-label", texts.pad)
    this.stage.describe(this.data.alt, texts)
  }

  #take(data, before) {
    const key = keyOf(data.serial, data.edits)
    const latent = decodeFloats(data.latent)
    const echo = this.pending.indexOf(key)
    if (echo >= 0) {
      this.pending = this.pending.slice(echo + 1)
      this.key = key
      if (!this.pending.length && !this.busy && distance(latent, this.target) < SAME) this.target = latent
      if (!this.live && !this.busy && !this.pending.length) this.#drawGiven(latent)
      if (!this.frame && distance(latent, this.z) < SAME) this.z = this.target
      return
    }
    if (key === this.key && before?.name === data.name) {
      // It has learned since: the same place shows something else. Who is just moving it sees that with the next move.
      if (before.model !== data.model && !this.busy && !this.pending.length) this.#drawGiven(latent)
      // A restart of the server may have lost what it was told.
      if (this.pending.length && !this.busy && performance.now() - this.reportedAt > PATIENCE_MS) this.#report()
      return
    }
    this.key = key
    this.pending = []
    this.busy = false
    clearTimeout(this.pause)
    this.touched = new Set(data.edits.map(([index]) => data.axes.indices.indexOf(index)).filter(k => k >= 0))
    this.target = latent
    const near = before && before.name === data.name && before.label === data.label && this.live && !this.still.matches
    if (near && distance(latent, this.z) > CLOSE) this.#ease()
    else this.#drawGiven(latent)
  }

  #drawGiven(latent) {
    this.pace.drop()
    cancelAnimationFrame(this.frame)
    this.frame = 0
    this.z = this.target
    this.drawn = latent
    this.picture.draw(decodeBytes(this.data.pixels), this.data.shape)
  }

  // The socket ----------------------------------------------------------------------------------------------

  get live() {
    return this.state === "live"
  }

  #open() {
    this.stream?.close()
    this.filmStream?.close()
    const { url, model } = this.data
    const socket = liveSocket(url)
    this.filmKey = ""
    this.film.clear()
    this.stream = socket.open({
      model,
      priority: PICTURE_PRIORITY,
      onpixels: reply => this.pace.take(reply),
      onstate: (state, reason) => {
        this.state = state
        this.root.dataset.state = state
        this.stage.connection(state, reason)
        if (state === "live" && this.z && distance(this.drawn, this.z) > CLOSE) this.#ask(null)
      },
    })
    this.filmStream = socket.open({
      model,
      priority: FILM_PRIORITY,
      onpixels: ({ pixels, shape }) => this.film.draw(pixels, shape),
    })
  }

  #ask(stamp) {
    const { label } = this.data
    this.stream.send({ z: Float32Array.from(this.z), label, tag: { z: this.z, stamp } })
  }

  #drawReply({ pixels, shape, tag }) {
    this.picture.draw(pixels, shape)
    this.drawn = tag.z
    if (this.showing) this.#show()
  }

  // The filmstrip depends on the point but not on where it is along the strip's own direction.
  #askFilm() {
    if (this.filmTimer) return
    const step = this.space.step(this.active)
    const here = this.space.coordinate(this.target, this.active)
    const base = addScaled(this.target, step, -here)
    const { model, label } = this.data
    const key = `${model} ${label} ${this.active} ${step[0]} ${base.map(value => Math.round(1e4 * value))}`
    if (key === this.filmKey) return
    this.filmKey = key
    this.filmTimer = setTimeout(() => {
      this.filmTimer = 0
      this.#askFilm()
    }, FILM_MS)
    const { positions } = this.film
    const z = new Float32Array(positions.length * base.length)
    positions.forEach((at, i) => z.set(addScaled(base, step, at), i * base.length))
    this.filmStream.send({ z, n: positions.length, label })
  }

  // Moving --------------------------------------------------------------------------------------------------

  #coordinates(directions) {
    return directions.map(k => this.space.coordinate(this.target, k))
  }

  #hold(direction) {
    clearTimeout(this.pause)
    this.busy = true
    this.active = direction
  }

  #put(targets, stamp, ease = false) {
    targets.forEach(([k]) => this.touched.add(k))
    this.#goTo(this.space.move(this.target, targets), stamp, ease)
  }

  #goTo(z, stamp, ease) {
    this.moved = true
    this.target = z
    if (this.stage.likes.ease || (ease && !this.still.matches)) {
      this.#ease(stamp)
    } else {
      cancelAnimationFrame(this.frame)
      this.frame = 0
      this.z = z
      this.#ask(stamp)
    }
    // What moves on the page makes the browser begin a frame, which would come just before the picture: they move
    // together, unless the picture takes long.
    if (this.live && stamp !== null) this.showing ||= setTimeout(() => this.#show(), SHOW_MS)
    else this.#show()
  }

  #ease() {
    if (this.frame) return
    let before = performance.now()
    const next = now => {
      const share = 1 - Math.exp(-Math.max(0, now - before) / EASE_MS)
      before = now
      const there = distance(this.z, this.target) < CLOSE
      this.z = there ? this.target : this.z.map((value, i) => value + share * (this.target[i] - value))
      this.#ask(null)
      this.frame = there ? 0 : requestAnimationFrame(next)
    }
    this.frame = requestAnimationFrame(next)
  }

  #nudge(targets, stamp) {
    this.#hold(targets[0][0])
    this.#put(targets, stamp)
    this.#show() // the next press counts from here
    this.pause = setTimeout(() => this.#release(), PAUSE_MS)
  }

  // Take the edits of some directions back: the place that the others lead to from the start.
  #reset(directions) {
    this.#hold(directions[0])
    directions.forEach(k => this.touched.delete(k))
    const others = [...this.touched].map(k => [k, this.space.coordinate(this.target, k)])
    this.#goTo(this.space.reach(this.from, others), null, true)
    this.#release()
  }

  #release() {
    clearTimeout(this.pause)
    this.busy = false
    this.#show()
    if (this.moved) this.#report()
  }

  #report() {
    this.moved = false
    const { serial, axes } = this.data
    const edits = [...this.touched]
      .map(k => [axes.indices[k], Math.round(1e4 * this.space.coordinate(this.target, k)) / 1e4 || 0])
      .sort(([a], [b]) => a - b)
    const key = keyOf(serial, edits)
    if (key === this.key && !this.pending.length) return
    this.pending = [...this.pending.filter(one => one !== key), key]
    this.reportedAt = performance.now()
    this.tell("move", { serial, edits })
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
    const directions = this.dials.list.map((_, k) => k)
    const now = this.#coordinates(directions)
    const from = directions.map(k => this.space.coordinate(this.from, k))
    this.dials.list.forEach((dial, k) => dial.show(now[k], from[k], this.touched.has(k), k === this.active))
    const pick = values => this.axes.map(k => values[k])
    this.field.show(this.axes, pick(now), pick(from))
    this.film.show(this.active, now[this.active])
    this.#askFilm()
  }
}

export default function ({ data: [data] = [], parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".latent-pad")
  if (!root || !data) return
  let pad = pads.get(parentElement)
  if (!pad) pads.set(parentElement, (pad = new LatentPad(root)))
  pad.tell = setTriggerValue
  pad.update(data)
  return () => {
    pad.close()
    pads.delete(parentElement)
  }
}
