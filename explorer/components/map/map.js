// A map of thousands of points: seen, searched, decoded and selected without asking the server for a new page.
//
// Python hears of a point that was clicked and of points that were selected, by their own indices; all else stays here.
const maps = new WeakMap()
const TALL = 0.66 // of the window's height
const SLIM = 1.05 // times the map's own width, at most
const HEIGHTS = [300, 680] // CSS pixels
const CLOSE = 8 // times the whole map, where a search leads to
const BUTTON_ZOOM = 1.8
const LABEL_SIZE = 14 // CSS pixels
const TOOLS = ["lasso", "more", "less", "full", "save"]

class LatentMap {
  constructor(root) {
    this.root = root
    this.stage = new Stage(gliding => this.#drawn(gliding))
    this.lens = new Lens()
    this.legend = new Legend(() => this.#colour())
    this.colouring = new Colouring()
    this.layers = new Layers(() => this.#overlay(), () => this.probe.draw())
    this.probe = new Probe(this)
    this.live = false
    this.steering = false // whether the keyboard moves the map
    this.#build()
    this.#listen()
  }

  get camera() {
    return this.stage.camera
  }

  close() {
    this.observer.disconnect()
    this.scheme.removeEventListener("change", this.onscheme)
    window.removeEventListener("resize", this.fit)
    this.stage.close()
    this.stream?.close()
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
    this.status = make("div", "status")
    this.status.setAttribute("role", "status")
    this.root.replaceChildren(this.legend.node, this.layers.node, this.frame, this.status)
    this.root.figures = this.stage.figures
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
    view.addEventListener("pointerenter", () => this.#dress())
    this.fit = () => this.#fit()
    this.onscheme = () => setTimeout(() => this.#dress(), 100) // Streamlit dresses the page first
    this.scheme = matchMedia("(prefers-color-scheme: dark)")
    this.scheme.addEventListener("change", this.onscheme)
    this.observer = new ResizeObserver(this.fit)
    this.observer.observe(this.root)
    window.addEventListener("resize", this.fit)
  }

  // Data from Python ----------------------------------------------------------------------------------------

  async update(data) {
    const before = this.data
    this.data = data
    this.#describe()
    if (before?.model !== data.model || before?.url !== data.url) this.#open()
    if (before?.key !== data.key || before?.pictures !== data.pictures || !this.points) {
      const stay = Boolean(data.series) && before?.series === data.series
      if (!(await this.#load(data, stay))) return
    }
    const { ranks } = this.points
    const { overlay } = this.stage
    overlay.path = data.path
    overlay.found = Array.from(new Int32Array(decodeBytes(data.found).buffer), index => ranks[index])
    if (before?.selected && !data.selected) overlay.lasso = []
    await this.layers.update(data.extras, data.own, data.texts)
    if (this.data !== data) return
    this.#overlay()
    if (!(await this.#colour())) return
    if (data.focus && data.focus.serial !== this.focused) {
      this.focused = data.focus.serial
      this.#visit(ranks[data.focus.index])
    }
    this.root.dataset.ready = data.key
  }

  // Show the layers that are to be seen.
  #overlay() {
    Object.assign(this.stage.overlay, { extras: this.layers.extras, own: this.layers.place })
    const { above } = this.probe.target ?? {}
    if (above && !this.layers.has(above)) this.probe.hide()
    this.stage.draw(false)
  }

  #describe() {
    const { texts, colourings, colouring, name } = this.data
    this.root.setAttribute("aria-label", texts.map)
    this.view.setAttribute("aria-label", name)
    this.view.setAttribute("aria-roledescription", texts.role)
    TOOLS.forEach((tool, i) => {
      this.buttons[i].title = texts.tools[tool]
      this.buttons[i].setAttribute("aria-label", texts.tools[tool])
    })
    this.#select(this.gestures.selecting)
    this.legend.describe(colourings, colouring, texts)
    if (!this.steering) this.status.textContent = texts.hint
  }

  // Tell whether this map is still the one to show when it is here.
  // stay: whether it is looked at from where the one before was.
  async #load(data, stay) {
    this.root.removeAttribute("data-ready")
    const store = new Store(data, { latents: () => this.probe.decode(), pictures: () => this.probe.draw() })
    const points = await store.points().catch(() => null)
    if (this.data.key !== data.key || this.data.pictures !== data.pictures) return false
    if (!points) {
      this.#say(data.texts.gone)
      return false
    }
    Object.assign(this, { store, points })
    this.colouring.forget()
    this.probe.hide()
    this.#fit()
    this.stage.show(points, stay)
    return true
  }

  #open() {
    this.stream?.close()
    this.stream = liveSocket(this.data.url).open({
      model: this.data.model,
      priority: 0,
      onpixels: reply => this.probe.receive(reply),
      onstate: state => {
        this.live = state === "live"
        this.root.dataset.state = state
        if (this.live && this.store) this.probe.decode()
      },
    })
  }

  #say(sentence) {
    this.status.textContent = sentence
  }

  // Colours and filters -------------------------------------------------------------------------------------

  // Colour and filter the points as the legend says; tells whether that could be done, and was not changed meanwhile.
  async #colour() {
    if (!this.points) return false
    const { legend, colouring, store, points, data } = this
    const filters = legend.filters
    const names = [legend.colouring?.name, data.label, ...filters.map(([name]) => name)]
    try {
      const needed = [...new Set(names.filter(Boolean))]
      if (!(await colouring.fetch(needed, data.colourings, store, points))) return false
    } catch {
      this.#say(data.texts.gone)
      return false
    }
    this.counts = colouring.paint(points, legend.colouring, filters)
    const { target } = this.probe
    if (target && points.paint[target.rows[0]] === HIDDEN) this.probe.hide()
    this.#dress(true)
    return true
  }

  // Take the colours of the page over, and draw; with `anew` also where they are the same.
  #dress(anew = false) {
    if (!this.counts) return
    const style = getComputedStyle(this.view)
    const { backgroundColor, color: ink, outlineColor: accent } = style
    const key = [backgroundColor, ink, accent, this.stage.ratio].join()
    if (key === this.dressed && !anew) return
    this.dressed = key
    const ground = parseColour(backgroundColor)
    const { colouring } = this.legend
    const codes = Math.min(colouring?.names?.length ?? 1, MOST_PAINTS)
    const colours = colouring && !colouring.names ? rampColours(ground) : distinctColours(codes, ground)
    const paints = [...colours.map((colour, i) => [1 + i, colour]), [UNKNOWN_PAINT, UNKNOWN]]
    this.stage.dress(paints, { ground, ink, accent, font: `600 ${LABEL_SIZE}px ${style.fontFamily}` })
    this.legend.draw(colours, this.counts)
    this.layers.dress(this.stage.look)
    this.#name()
    this.stage.draw(true)
  }

  // What the classes are called: what the points are coloured by where that has names.
  get #label() {
    return this.legend.colourings.find(({ name }) => name === this.data.label)
  }

  #name() {
    const { colouring } = this.legend
    const named = colouring?.column === "categories" ? colouring : this.#label
    const codes = named && this.colouring.columns.get(named.name)
    this.stage.labels.place(this.points, codes ? named.names : [], row => codes[row], this.stage.look)
  }

  // The label that a conditional model decodes a row with; -1 for other models.
  labelOf(row) {
    return this.data.conditional ? (this.colouring.columns.get(this.data.label)?.[row] ?? -1) : -1
  }

  nameOf(row) {
    const { colouring } = this.legend
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

  // What a person does --------------------------------------------------------------------------------------

  #hover(left, top) {
    if (!this.points || this.gestures.drag?.moved) return
    this.#steer(false)
    this.probe.look(left, top)
    this.view.classList.toggle("hit", this.probe.hit)
  }

  #click(left, top) {
    if (!this.points) return
    this.probe.look(left, top)
    this.#pick()
  }

  #pick() {
    const { choice } = this.probe
    if (choice) this.report("pick", { key: this.data.key, ...choice })
  }

  #select(on) {
    this.gestures.selecting = on
    this.buttons[0].setAttribute("aria-pressed", String(on))
    this.view.classList.toggle("selecting", on)
  }

  #line(corners, done) {
    if (!this.points) return
    const { overlay } = this.stage
    this.probe.hide()
    overlay.lasso = corners.map(([left, top]) => this.camera.toPlace(left, top))
    if (done) {
      const rows = corners.length > 2 ? this.points.inside(overlay.lasso) : []
      if (rows.length) this.#report(rows)
      else overlay.lasso = []
      this.#select(false)
    }
    this.stage.draw(false)
  }

  #report(rows) {
    const { key, count } = this.data
    const indices = rows.map(row => this.points.order[row])
    this.report("select", { key, count: rows.length, bits: toBits(indices, count) })
  }

  // The keyboard ------------------------------------------------------------------------------------------

  // With the keyboard the middle of the window is what a pointer would be at.
  #steer(on) {
    if (this.steering === on || !this.data) return
    this.steering = on
    this.cross.hidden = !on
    if (on) this.#probeMiddle()
    else this.#say(this.data.texts.hint)
  }

  #drawn(gliding) {
    if (!this.steering || !this.steered) return
    this.#probeMiddle()
    this.steered = gliding
  }

  #probeMiddle() {
    if (!this.points) return
    this.probe.look(this.camera.width / 2, this.camera.height / 2)
    const { title, words } = this.lens
    this.#say([title.textContent, words.textContent].filter(Boolean).join(" · "))
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
      this.stage.overlay.lasso = []
      this.probe.hide()
      this.stage.draw(false)
    } else {
      return false
    }
    return true
  }

  // Go to a point that a search found, so that Enter opens it.
  #visit(row) {
    const [x, y] = this.points.places.subarray(2 * row, 2 * row + 2)
    this.view.focus({ preventScroll: true })
    this.#steer(true)
    this.steered = true
    this.stage.glide({ x, y, k: Math.max(this.camera.k, CLOSE * this.camera.whole) })
  }
}

export default function ({ data: [data] = [], parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".latent-map")
  if (!root || !data) return
  let map = maps.get(parentElement)
  if (!map) maps.set(parentElement, (map = new LatentMap(root)))
  map.report = (name, value) => setTriggerValue(name, value)
  map.update(data)
  return () => {
    map.close()
    maps.delete(parentElement)
  }
}
