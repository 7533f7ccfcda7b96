// One map of thousands of points: seen, searched, decoded and selected without asking the server for a new page.
const TALL = 0.66 // of the window's height
const SLIM = 1.05 // times the map's own width, at most
const HEIGHTS = [300, 680] // CSS pixels
const CLOSE = 8 // times the whole map, where a search leads to
const BUTTON_ZOOM = 1.8
const LABEL_SIZE = 14 // CSS pixels
const KEEP_MS = 300 // between two times that what is seen is kept
const PREPARE_MS = 300 // after the points, in which they and their colours are drawn
const TOOLS = ["lasso", "more", "less", "full", "save"]

class Pane {
  // group: { legend, draw(pane, colours), share(pane, row), say(sentence), report(name, value), pointsOf(key), connected(),
  //          settle() }
  constructor(group) {
    this.group = group
    this.stage = new Stage(
      gliding => this.#drawn(gliding),
      () => group.settle(),
    )
    this.lens = new Lens()
    this.colouring = new Colouring()
    this.layers = new Layers(() => this.#overlay(), () => this.probe.draw())
    this.probe = new Probe(this)
    Object.assign(this, { live: false, state: "connecting" }) // of the socket
    this.steering = false // whether the keyboard moves the map
    this.#build()
    this.#listen()
  }

  get camera() {
    return this.stage.camera
  }

  get marks() {
    return this.stage.marks
  }

  close() {
    this.#keep()
    this.#leave()
    this.unwatch()
    this.scheme.removeEventListener("change", this.onscheme)
    this.stage.close()
    this.stream?.close()
    this.node.remove()
    this.points = this.counts = null
  }

  // Whether filters leave out all points.
  get empty() {
    return this.plain.every(paint => paint === HIDDEN)
  }

  // Whether there are points, and it is known what they are.
  get ready() {
    return Boolean(this.points && this.counts)
  }

  #build() {
    this.view = make("div", "view", { tabIndex: 0 })
    this.view.setAttribute("role", "application")
    this.cross = make("i", "cross", { hidden: true })
    this.tools = make("div", "tools")
    this.buttons = TOOLS.map(name => {
      const button = make("button", "tool", { type: "button" })
      button.append(makeIcon(name))
      return button
    })
    this.tools.append(...this.buttons)
    this.view.append(this.stage.canvas, this.cross, this.lens.node)
    this.frame = make("div", "frame")
    this.frame.append(this.view, this.tools)
    this.caption = make("p", "caption", { hidden: true })
    this.node = make("section", "pane")
    this.node.append(this.caption, this.frame)
  }

  #listen() {
    const { stage, view } = this
    this.gestures = new Gestures(view, {
      pan: (right, down) => stage.move(camera => camera.pan(right, down)),
      zoom: (factor, ...at) => stage.move(camera => camera.zoomAt(factor, ...at)),
      hover: (left, top) => this.#hover(left, top),
      leave: () => this.probe.hide(),
      click: (left, top) => this.#click(left, top),
      line: (corners, done) => this.#line(corners, done),
      key: name => this.#key(name),
    })
    const [lasso, more, less, full, save] = this.buttons
    lasso.addEventListener("click", () => this.#select(!this.gestures.selecting))
    more.addEventListener("click", () => stage.glide({ k: this.camera.k * BUTTON_ZOOM }))
    less.addEventListener("click", () => stage.glide({ k: this.camera.k / BUTTON_ZOOM }))
    full.addEventListener("click", () => stage.glide(this.camera.home()))
    save.addEventListener("click", () => savePicture(stage, this.data.name))
    view.addEventListener("focus", () => view.matches(":focus-visible") && this.#steer(true))
    view.addEventListener("blur", () => this.#steer(false))
    view.addEventListener("pointerenter", () => this.dress())
    this.onscheme = () => setTimeout(() => this.dress(), 100) // Streamlit dresses the page first
    this.scheme = matchMedia("(prefers-color-scheme: dark)")
    this.scheme.addEventListener("change", this.onscheme)
    this.unwatch = onResize(this.frame, () => this.#fit())
  }

  // Data from Python ----------------------------------------------------------------------------------------

  // Take data over; tells whether the points are here, and still those to show.
  async update(data) {
    const before = this.data
    this.data = data
    this.#describe()
    if (before?.model !== data.model || before?.url !== data.url) this.#open()
    if (this.shows !== data.key || this.store.pictures !== data.pictures) {
      if (!(await this.#load(data))) return false
    }
    if (this.data !== data) return false
    Object.assign(this.stage.overlay, { path: data.path, here: data.here })
    const drawnOn = one => Object.fromEntries(Object.entries(one.selections).map(([name, { on }]) => [name, on]))
    this.marks.keep(before?.key === data.key ? drawnOn(before) : null, drawnOn(data), data.key)
    await this.layers.update(data.extras, data.own, data.texts)
    if (this.data !== data) return false
    this.#overlay()
    return true
  }

  // Show the layers that are to be seen.
  #overlay() {
    Object.assign(this.stage.overlay, { extras: this.layers.extras, own: this.layers.place })
    const { above } = this.probe.target ?? {}
    if (above && !this.layers.has(above)) this.probe.hide()
    this.stage.draw(false)
  }

  // Ring some rows.
  ring(rows) {
    this.stage.overlay.found = rows
  }

  #describe() {
    const { texts, name, caption } = this.data
    this.view.setAttribute("aria-label", name)
    this.view.setAttribute("aria-roledescription", texts.role)
    this.caption.textContent = caption
    this.caption.hidden = !caption
    TOOLS.forEach((tool, i) => {
      this.buttons[i].title = texts.tools[tool]
      this.buttons[i].setAttribute("aria-label", texts.tools[tool])
    })
    this.#select(this.gestures.selecting)
  }

  // Fetch no more of the map that was shown.
  #leave() {
    clearTimeout(this.preparing)
    this.store?.close()
  }

  // Tell whether this map is still the one to show when it is here.
  async #load(data) {
    this.#keep()
    this.#leave()
    const store = new Store(data, { latents: () => this.probe.decode(), pictures: () => this.probe.draw() })
    const points = await store.points().catch(() => null)
    if (this.data.key !== data.key || this.data.pictures !== data.pictures) return false
    if (!points) {
      this.group.say(data.texts.gone)
      return false
    }
    Object.assign(this, { store, points, shows: data.key, kept: data.series || data.key, counts: null, plain: null })
    this.colouring.forget()
    this.probe.hide()
    this.#fit()
    this.stage.show(points)
    this.#recall()
    this.preparing = setTimeout(() => store.prepare(), PREPARE_MS)
    return true
  }

  // What is kept for when the page is opened again, or the model of a map has learnt on: the view, the search that led
  // here; and of the same map the lines around selections.
  #keep() {
    clearTimeout(this.keeping)
    this.keeping = 0
    if (!this.points) return
    const { x, y, zoom } = this.camera.goal
    const { shows, focused, marks } = this
    remember(this.kept, { view: [x, y, zoom], focused, lines: { on: shows, ...marks.lines } })
  }

  #recall() {
    const { view, lines, focused } = recall(this.kept)
    this.focused = focused
    if (view?.length === 3 && view.every(Number.isFinite)) {
      const [x, y, zoom] = view
      this.camera.go({ x, y, k: zoom * this.camera.whole }, false)
    }
    const { on, ...there } = lines ?? {}
    if (on === this.shows) this.marks.lines = there
  }

  #open() {
    this.stream?.close()
    this.stream = liveSocket(this.data.url).open({
      model: this.data.model,
      priority: 0,
      onpixels: reply => this.probe.receive(reply),
      onstate: state => {
        Object.assign(this, { state, live: state === "live" })
        this.group.connected()
        if (this.live && this.store) this.probe.decode()
      },
    })
  }

  // Colours and filters -------------------------------------------------------------------------------------

  // Colour and filter the points as the legend says; tells whether that could be done, and was not changed meanwhile.
  // lead: the pane that the points which it has, too, take over from, or undefined.
  async colour(lead) {
    if (!this.points) return false
    const { points, store, data, colouring } = this
    const { legend } = this.group
    const has = name => data.colourings.some(one => one.name === name)
    const filters = legend.filters.filter(([name]) => has(name))
    const shown = legend.colouring && has(legend.colouring.name) ? legend.colouring : undefined
    const names = [shown?.name, data.label, ...filters.map(([name]) => name)]
    try {
      const needed = [...new Set(names.filter(Boolean))]
      if (!(await colouring.fetch(needed, data.colourings, store, points))) return false
    } catch {
      this.group.say(data.texts.gone)
      return false
    }
    if (this.points !== points || (lead && !lead.plain)) return false
    this.counts = colouring.paint(points, shown, filters)
    if (lead) {
      const { paint } = points
      points.rowsOn(lead.points).forEach((there, row) => there >= 0 && (paint[row] = lead.plain[there]))
    }
    this.plain = points.paint.slice()
    this.mark()
    return true
  }

  // Paint the points of selections that have no line here, and draw.
  mark() {
    const { points, marks } = this
    points.paint.set(this.plain)
    marks.badges = []
    for (const [letter, { on, bits }] of Object.entries(this.data.selections)) {
      const drawn = on !== this.shows && this.group.pointsOf(on)
      if (on === this.shows ? marks.lines[letter] : !drawn) continue
      const [selects, there] = [fromBits(bits), drawn || points]
      const rows = []
      points.rowsOn(there).forEach((other, row) => {
        if (other >= 0 && points.paint[row] !== HIDDEN && selects(there.order[other])) rows.push(row)
      })
      for (const row of rows) points.paint[row] = LETTER_PAINTS[letter]
      if (rows.length) marks.badges.push([letter, middle(points.places, rows)])
    }
    const { target } = this.probe
    if (target && points.paint[target.rows[0]] === HIDDEN) this.probe.hide()
    this.dress(true)
  }

  // Take the colours of the page over, and draw; with `anew` also where they are the same.
  dress(anew = false) {
    if (!this.counts) return
    const style = getComputedStyle(this.view)
    const { backgroundColor, color: ink, outlineColor: accent } = style
    const key = [backgroundColor, ink, accent, this.stage.ratio].join()
    if (key === this.dressed && !anew) return
    this.dressed = key
    const ground = parseColour(backgroundColor)
    const { colouring } = this.group.legend
    const codes = Math.min(colouring?.names?.length ?? 1, MOST_PAINTS)
    const scale = colouring && !colouring.names
    const colours = scale ? rampColours(ground) : distinctColours(codes, ground, colouring?.colours)
    const look = { ground, ink, accent, font: `600 ${LABEL_SIZE}px ${style.fontFamily}` }
    const letters = Object.entries(LETTER_PAINTS).map(([letter, paint]) => {
      return [paint, parseColour(letterColour(letter, { ink, ground: backgroundColor })), MARKED]
    })
    this.stage.dress([...colours.map((colour, i) => [1 + i, colour]), [UNKNOWN_PAINT, UNKNOWN], ...letters], look)
    this.group.draw(this, colours)
    this.layers.dress(this.stage.look)
    this.#name()
    this.stage.draw(true)
  }

  // What the classes are called: what the points are coloured by where that has names.
  get #label() {
    return this.data.colourings.find(({ name }) => name === this.data.label)
  }

  #name() {
    const { colouring } = this.group.legend
    const named = colouring?.column === "categories" ? colouring : this.#label
    const codes = named && this.colouring.columns.get(named.name)
    this.stage.labels.place(this.points, codes ? named.names : [], row => codes[row], this.stage.look)
  }

  // The label that a conditional model decodes a row with; -1 for other models.
  labelOf(row) {
    return this.data.conditional ? (this.colouring.columns.get(this.data.label)?.[row] ?? -1) : -1
  }

  nameOf(row) {
    const { colouring } = this.group.legend
    return this.colouring.describe(row, this.points, { label: this.#label, colouring, numbers: this.data.texts.numbers })
  }

  #fit() {
    const width = this.frame.clientWidth
    if (!this.points || !width) return
    const height = Math.round(clamp(Math.min(TALL * innerHeight, SLIM * width), ...HEIGHTS))
    this.view.style.height = `${height}px`
    this.lens.fit(this.data.shape, width)
    this.stage.fit(width, height)
  }

  // What another map points at, and what this one does; -1: nothing ---------------------------------------

  pointAt(row) {
    if (row === this.pointed) return
    this.pointed = row
    this.group.share(this, row)
  }

  // Ring the row that another map's pointer is at.
  echo(row) {
    if (row === this.marks.same) return
    this.marks.same = row
    this.node.dataset.same = row < 0 ? "" : this.points.order[row]
    this.stage.draw(false)
  }

  // What a person does --------------------------------------------------------------------------------------

  #hover(left, top) {
    if (!this.ready || this.gestures.drag?.moved) return
    this.#steer(false)
    this.probe.look(left, top)
    this.view.classList.toggle("hit", this.probe.hit)
  }

  #click(left, top) {
    if (!this.ready) return
    this.probe.look(left, top)
    this.#pick()
  }

  #pick() {
    const { choice } = this.probe
    if (choice) this.group.report("pick", { key: this.data.key, ...choice })
  }

  #select(on) {
    this.gestures.selecting = on
    this.buttons[0].setAttribute("aria-pressed", String(on))
    this.view.classList.toggle("selecting", on)
  }

  #line(corners, done) {
    if (!this.ready) return
    const { marks } = this
    this.probe.hide()
    marks.drawn = corners.map(([left, top]) => this.camera.toPlace(left, top))
    if (done) {
      const rows = corners.length > 2 ? this.points.inside(marks.drawn) : []
      if (rows.length) {
        marks.lines[this.data.letter] = marks.drawn
        this.#report(rows)
      }
      marks.drawn = []
      this.#select(false)
    }
    this.stage.draw(false)
  }

  #report(rows) {
    const { key, count } = this.data
    const indices = rows.map(row => this.points.order[row])
    this.group.report("select", { key, count: rows.length, bits: toBits(indices, count) })
  }

  // The keyboard ------------------------------------------------------------------------------------------

  // With the keyboard the middle of the window is what a pointer would be at.
  #steer(on) {
    if (this.steering === on || !this.data) return
    this.steering = on
    this.cross.hidden = !on
    if (on) this.#probeMiddle()
    else this.group.say(this.data.texts.hint)
  }

  #drawn(gliding) {
    this.keeping ||= setTimeout(() => this.#keep(), KEEP_MS)
    if (!this.steering || !this.steered) return
    this.#probeMiddle()
    this.steered = gliding
  }

  #probeMiddle() {
    if (!this.ready) return
    this.probe.look(this.camera.width / 2, this.camera.height / 2)
    const { title, words } = this.lens
    this.group.say([title.textContent, words.textContent].filter(Boolean).join(" · "))
  }

  #key(name) {
    if (name === "moved") {
      this.steered = true
      this.#steer(true)
    } else if (name === "0") {
      this.steered = true
      this.stage.glide(this.camera.home())
    } else if (name === "Enter") {
      this.#steer(true)
      this.#pick()
    } else if (name === "Escape") {
      this.#select(false)
      this.marks.drawn = []
      this.probe.hide()
      this.stage.draw(false)
    } else {
      return false
    }
    return true
  }

  // Go to a point that a search found, once for each search, so that Enter opens it.
  visit({ index, serial }) {
    if (serial === this.focused) return
    this.focused = serial
    const row = this.points.ranks[index]
    const [x, y] = this.points.places.subarray(2 * row, 2 * row + 2)
    this.view.focus({ preventScroll: true })
    this.#steer(true)
    this.steered = true
    this.stage.glide({ x, y, k: Math.max(this.camera.k, CLOSE * this.camera.whole) })
  }
}
