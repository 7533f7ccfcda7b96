// The picture of a latent, and everything that moves it: sliders, a plane of two directions, the picture itself, a
// filmstrip. While it moves, the picture comes over the live socket; Python hears of the place once it is reached.
//
// `target` is where the point is put, `z` what is drawn: they differ only while the latent eases from one to the other.
const pads = new WeakMap()
const PICTURE_PRIORITY = 0
const FILM_PRIORITY = 3
const FILM_MS = 90 // between filmstrips while something moves
const EASE_MS = 60 // time constant
const CLOSE = 1e-3 // sd: there
const SAME = 0.02 // sd: what rounding may move an echo by
const FEW = 4 // sliders
const NARROW = 560 // CSS pixels

class LatentPad extends Mover {
  constructor(root) {
    super()
    this.root = root
    this.still = matchMedia("(prefers-reduced-motion: reduce)")
    this.touched = new Set() // directions whose coordinates are set, those of the data included
    this.frame = 0
    this.pace = new Pace(reply => this.#drawReply(reply))
    this.state = "connecting"
    this.#build()
    this.fit = () => this.#fit()
    this.unwatch = onResize(root, this.fit)
    document.addEventListener("fullscreenchange", this.fit)
    this.ticker = setInterval(() => this.stream && this.stage.figures(this.stream.statistics), 500)
  }

  close() {
    super.close()
    this.unwatch()
    document.removeEventListener("fullscreenchange", this.fit)
    clearInterval(this.ticker)
    clearTimeout(this.filmTimer)
    this.pace.drop()
    cancelAnimationFrame(this.frame)
    this.stream?.close()
    this.filmStream?.close()
  }

  // Building ------------------------------------------------------------------------------------------------

  #build() {
    this.film = new Film({
      open: value => {
        this.put([[this.active, value]], null, true)
        this.report()
      },
      choose: k => {
        this.active = k
        this.show()
      },
    })
    this.stage = new Stage(this.drag)
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
    this.show()
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
    const latent = decodeFloats(data.latent)
    const heard = this.hear(this.keyOf(data))
    if (heard === "echo") {
      if (this.idle && distance(latent, this.target) < SAME) this.target = latent
      if (this.idle && !this.live) this.#drawGiven(latent)
      if (!this.frame && distance(latent, this.z) < SAME) this.z = this.target
      return
    }
    if (heard === "same") {
      // It has learned since: the same place shows something else. Who is just moving it sees that with the next move.
      if (this.idle && before.model !== data.model) this.#drawGiven(latent)
      return
    }
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
    if (this.showing) this.show()
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

  coordinate(direction) {
    return this.space.coordinate(this.target, direction)
  }

  put(targets, stamp, ease = false) {
    targets.forEach(([k]) => this.touched.add(k))
    this.#goTo(this.space.move(this.target, targets), stamp, ease)
  }

  // The place that the other edits lead to from the start.
  takeBack(directions) {
    directions.forEach(k => this.touched.delete(k))
    const others = [...this.touched].map(k => [k, this.coordinate(k)])
    this.#goTo(this.space.reach(this.from, others), null, true)
  }

  #goTo(z, stamp, ease) {
    this.moved = true
    this.target = z
    if (this.stage.likes.ease || (ease && !this.still.matches)) {
      this.#ease()
    } else {
      cancelAnimationFrame(this.frame)
      this.frame = 0
      this.z = z
      this.#ask(stamp)
    }
    this.showWith(this.live && stamp !== null && !this.frame ? this.stream.statistics.latency : Infinity)
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

  place() {
    const { serial, axes } = this.data
    const edits = [...this.touched]
      .map(k => [axes.indices[k], Math.round(1e4 * this.coordinate(k)) / 1e4 || 0])
      .sort(([a], [b]) => a - b)
    return { serial, edits }
  }

  keyOf({ serial, edits }) {
    return JSON.stringify([this.data.name, serial, edits])
  }

  // Showing -------------------------------------------------------------------------------------------------

  present() {
    const directions = this.dials.list.map((_, k) => k)
    const now = directions.map(k => this.coordinate(k))
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
