// The picture with what belongs to it: hint, figures, connection, the few switches; it can be dragged.
const SMALLEST = 240 // CSS pixels
const ROOM = [0.5, 0.49] // of the pad's width and of the window's height
const FULL_ROOM = [0.55, 0.72] // the same on a full screen

// What a person likes is kept in the browser, for all models.
const LIKES = "latent-explorer pad"

function readLikes() {
  const likes = { ease: false, soft: false, figures: false, hinted: false }
  try {
    return { ...likes, ...JSON.parse(localStorage.getItem(LIKES)) }
  } catch {
    return likes // no storage, or not ours
  }
}

function writeLikes(likes) {
  try {
    localStorage.setItem(LIKES, JSON.stringify(likes))
  } catch {
    // a browser without storage forgets them
  }
}

class Stage {
  // on: { start() -> [x, y], move([x, y], stamp), end() }; coordinates along the two directions of the plane
  constructor(on) {
    this.likes = readLikes()
    this.picture = new Picture()
    this.node = make("div", "stage")
    this.glass = make("div", "glass")
    this.hint = make("span", "hint")
    this.meter = make("span", "meter")
    this.glass.append(this.picture.canvas, this.hint, this.meter)
    this.status = make("span", "status")
    this.status.setAttribute("role", "status")
    this.tools = ["ease", "soft", "figures", "full"].map(name => this.#tool(name))
    const bar = make("div", "toolbar")
    bar.append(this.status, ...this.tools)
    this.node.append(this.glass, bar)
    this.#drag(on)
  }

  #tool(name) {
    const button = make("button", "tool", { type: "button" })
    button.append(makeIcon(name))
    button.dataset.name = name
    button.addEventListener("click", () => {
      if (name !== "full") this.#like({ [name]: !this.likes[name] })
      else if (document.fullscreenElement) document.exitFullscreen()
      else this.node.parentElement.requestFullscreen?.().catch(() => {}) // a frame may forbid it
    })
    return button
  }

  #like(changes) {
    this.likes = { ...this.likes, ...changes }
    writeLikes(this.likes)
    this.#showLikes()
  }

  #showLikes() {
    for (const tool of this.tools) {
      const { name } = tool.dataset
      if (name in this.likes) tool.setAttribute("aria-pressed", String(this.likes[name]))
    }
    this.picture.soften(this.likes.soft)
    this.meter.hidden = !this.likes.figures
    this.hint.hidden = this.likes.hinted
  }

  #drag(on) {
    const end = () => {
      if (!this.likes.hinted) this.#like({ hinted: true })
      on.end()
    }
    this.picture.onDrag(this.glass, { ...on, end })
  }

  describe(alt, texts) {
    this.texts = texts
    this.picture.canvas.setAttribute("aria-label", alt)
    this.hint.textContent = texts.drag
    for (const tool of this.tools) {
      tool.title = texts[tool.dataset.name]
      tool.setAttribute("aria-label", texts[tool.dataset.name])
    }
    this.#showLikes()
  }

  // Most connections are there before anybody has read that one was not.
  connection(state, reason) {
    const { texts } = this
    const notices = {
      connecting: [texts.plain, 4000],
      lost: [texts.lost, 600],
      refused: [`${reason} ${texts.plain}`, 0],
    }
    const [sentence, wait] = notices[state] ?? ["", 0]
    clearTimeout(this.notice)
    this.notice = setTimeout(() => (this.status.textContent = sentence), wait)
  }

  figures({ latency, rate }) {
    this.meter.textContent = fill(this.texts.meter, { latency: latency.toFixed(0), rate })
  }

  // width: of the whole pad; narrow: the picture has it for itself.
  fit(shape, width, narrow) {
    const [across, upwards] = document.fullscreenElement ? FULL_ROOM : ROOM
    const wide = width * (narrow ? 1 : across)
    this.picture.fit(Math.min(wide, Math.max(SMALLEST, innerHeight * upwards)), shape)
  }
}
