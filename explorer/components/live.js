// One WebSocket for all canvases of a browser tab: latents out, pixels in, the newest wins. The messages are those
// of explorer/live_protocol.py. This file stands in front of a component's own script, in the same module.
//
//   const stream = liveSocket("/api/live").open({ model, priority, onpixels, onstate })
//   stream.send({ z: Float32Array (n * dim), n, label, truncation, tag })    tag comes back with the pixels
//   stream.close()
//
//   onpixels({ pixels: Uint8Array (n * H * W * C), n, shape: [H, W, C], tag })
//   onstate(state, reason)    connecting | live | lost | refused; the reason is a sentence of the server's
//
// A stream sends what was asked of it last, once the answer to what it sent before is there; only where the network
// itself takes long it has several requests under way. A lost connection is made anew, and what had no answer is
// sent again.
const LIVE_VERSION = 1
const HEADER = 20
const DECODE = 1
const MAX_FLIGHT = 4 // requests of a stream under way, where the network is slow
const FLIGHT_MS = 20 // network time that one more request under way makes up for
const UNUSED_MS = 30_000 // without a stream, after which the server need not keep the connection
const SILENCE_MS = 10_000 // without any answer, after which a connection counts as lost
const RETRY_MS = [250, 5000] // first and longest wait for another connection
const LATER_MS = 15_000 // wait where the server has no room
const IDLE = 4408
const NO_IDENTITY = 4401
const NO_ROOM = [4409, 4429]
const OUR_FAULT = [1009, 4400, 4413, 4422] // the same request would be refused again

// Components are modules of their own and run again and again; what they share hangs on the window.
function liveSocket(path) {
  const url = new URL(path, location.href)
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:"
  const shared = (window.latentExplorer ??= {})
  return (shared[`live ${LIVE_VERSION} ${url}`] ??= new LiveSocket(url.href))
}

class LiveSocket {
  #url
  #socket = null
  #streams = new Map()
  #lastId = -1
  #greeted = false
  #failures = 0
  #timer = 0
  #watch = 0
  #unused = 0
  #heard = 0
  #askedForIdentity = false
  #interrupted = false

  constructor(url) {
    this.#url = url
    const hurry = () => document.visibilityState === "visible" && this.#timer && this.#connect()
    window.addEventListener("online", hurry)
    document.addEventListener("visibilitychange", hurry)
  }

  open(spec) {
    this.#lastId = (this.#lastId + 1) % 65536 // not used again soon, so that no late answer fits
    const stream = new LiveStream(this, this.#lastId, spec)
    this.#streams.set(stream.id, stream)
    stream.becomes("connecting")
    if (this.#greeted) this.#send(stream.opening())
    else this.wake()
    return stream
  }

  forget(stream) {
    this.#streams.delete(stream.id)
    if (this.#greeted) this.#send(JSON.stringify({ close: stream.id }))
    if (this.#streams.size) return
    clearTimeout(this.#timer)
    this.#timer = 0
    clearTimeout(this.#unused)
    this.#unused = setTimeout(() => this.#streams.size || this.#socket?.close(), UNUSED_MS)
  }

  wake() {
    if (!this.#socket && !this.#timer) this.#connect()
  }

  transmit(message) {
    this.#send(message)
    if (!this.#watch) this.#watch = setTimeout(() => this.#check(), SILENCE_MS)
  }

  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(message)
  }

  #connect() {
    clearTimeout(this.#timer)
    this.#timer = 0
    if (this.#socket || !this.#streams.size) return
    const socket = (this.#socket = new WebSocket(this.#url))
    socket.binaryType = "arraybuffer"
    socket.onmessage = event => this.#receive(event.data)
    socket.onclose = event => this.#lost(event.code, event.reason)
    this.#watch ||= setTimeout(() => this.#check(), SILENCE_MS)
  }

  #receive(message) {
    this.#heard = performance.now()
    if (typeof message !== "string") {
      const header = new DataView(message)
      this.#streams.get(header.getUint16(2, true))?.receive(header)
      return
    }
    const said = JSON.parse(message)
    if (said.hello) {
      this.#greeted = true
      this.#failures = 0
      this.#askedForIdentity = false
      this.#streams.forEach(stream => this.#send(stream.opening()))
      if (this.#interrupted) window.latentExplorer.revive?.() // the server may be another one
      this.#interrupted = false
    } else {
      this.#streams.get(said.opened ?? said.refused)?.answered(said)
    }
  }

  // A connection may die without a word: a laptop that slept, a proxy that gave up.
  #check() {
    this.#watch = 0
    if (!this.#socket) return
    const waits = [...this.#streams.values()].some(stream => stream.waits)
    if (this.#greeted && !waits) return
    if (performance.now() - this.#heard > SILENCE_MS) this.#lost(0, "")
    else this.#watch = setTimeout(() => this.#check(), SILENCE_MS)
  }

  async #lost(code, reason) {
    const socket = this.#socket
    if (socket) {
      socket.onmessage = socket.onclose = null
      socket.close()
    }
    this.#socket = null
    this.#interrupted ||= this.#greeted && code !== IDLE && this.#streams.size > 0
    this.#greeted = false
    const refused = code >= 4400 && code < 4500 && code !== IDLE
    this.#streams.forEach(stream => stream.lost(OUR_FAULT.includes(code)))
    if (code === IDLE || !this.#streams.size) return // the next request connects
    this.#streams.forEach(stream => stream.becomes(refused ? "refused" : "lost", reason))
    if (code === NO_IDENTITY && !this.#askedForIdentity) {
      this.#askedForIdentity = true // the server's key is another one than it was: a page brings a new cookie
      await fetch(location.href, { credentials: "same-origin", cache: "no-store" }).catch(() => {})
    } else if (refused && !NO_ROOM.includes(code) && !OUR_FAULT.includes(code)) {
      return
    }
    const [first, longest] = RETRY_MS
    const wait = NO_ROOM.includes(code) ? LATER_MS : Math.min(longest, first * 2 ** this.#failures++)
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#connect(), wait * (0.75 + 0.5 * Math.random()))
  }
}

class LiveStream {
  #socket
  #spec
  #state = ""
  #shape = null // known while the server has this stream open
  #dim = 0
  #sequence = 0
  #waiting = null // asked for last, not sent yet
  #flight = [] // sent, not answered
  #trips = [] // of the network, in ms
  #latency = 0
  #drawn = [] // when the last pictures came

  constructor(socket, id, spec) {
    this.#socket = socket
    this.#spec = spec
    this.id = id
  }

  get state() {
    return this.#state
  }

  get waits() {
    return this.#flight.length > 0
  }

  // Round trip in ms and pictures in the last second.
  get statistics() {
    const since = performance.now() - 1000
    return { latency: this.#latency, rate: this.#drawn.filter(moment => moment > since).length }
  }

  send(request) {
    this.#waiting = { truncation: 1, label: -1, n: 1, ...request, sequence: ++this.#sequence }
    if (this.#shape) this.#flush()
    else this.#socket.wake()
  }

  close() {
    this.#shape = this.#waiting = null
    this.#flight = []
    this.#spec = { ...this.#spec, onpixels() {}, onstate() {} }
    this.#socket.forget(this)
  }

  // What the socket tells its streams ---------------------------------------------------------------------

  opening() {
    return JSON.stringify({ open: this.id, model: this.#spec.model, priority: this.#spec.priority })
  }

  answered(said) {
    if ("refused" in said) {
      this.becomes("refused", said.reason)
      return
    }
    this.#shape = said.shape
    this.#dim = said.dim
    this.becomes("live")
    this.#flush()
  }

  becomes(state, reason = "") {
    if (state === this.#state) return
    this.#state = state
    this.#spec.onstate?.(state, reason)
  }

  lost(drop) {
    const last = this.#waiting ?? this.#flight.at(-1) ?? null
    this.#waiting = drop ? null : last
    this.#flight = []
    this.#shape = null
  }

  receive(header) {
    const sequence = header.getUint32(4, true)
    const request = this.#flight.find(one => one.sequence === sequence)
    // Replies come in order: what was sent before this one will have none.
    this.#flight = this.#flight.filter(one => one.sequence > sequence)
    const shape = this.#shape
    if (!request || !shape || header.getUint16(14, true)) {
      this.#flush()
      return
    }
    const now = performance.now()
    const trip = now - request.sent
    this.#trips = [...this.#trips.slice(-19), Math.max(0, trip - header.getFloat32(16, true))]
    this.#latency = this.#latency ? 0.9 * this.#latency + 0.1 * trip : trip
    this.#drawn = [...this.#drawn.slice(-119), now]
    this.#flush()
    this.#spec.onpixels({
      pixels: new Uint8Array(header.buffer, HEADER),
      n: request.n,
      shape,
      tag: request.tag,
    })
  }

  #flush() {
    const request = this.#waiting
    // The fastest of the last trips is the network; what others took longer was the server's queue, and more
    // requests would make that longer still.
    const room = Math.min(MAX_FLIGHT, 1 + Math.floor(Math.min(...this.#trips, FLIGHT_MS * 10) / FLIGHT_MS))
    if (!request || !this.#shape || this.#flight.length >= (this.#trips.length ? room : 1)) return
    this.#waiting = null
    if (request.z.length !== request.n * this.#dim) return // of another model
    const message = new DataView(new ArrayBuffer(HEADER + 4 * request.z.length))
    message.setUint8(0, 1)
    message.setUint8(1, DECODE)
    message.setUint16(2, this.id, true)
    message.setUint32(4, request.sequence, true)
    message.setUint16(8, request.n, true)
    message.setUint16(10, this.#dim, true)
    message.setInt16(12, request.label, true)
    message.setFloat32(16, request.truncation, true)
    for (let i = 0; i < request.z.length; i++) message.setFloat32(HEADER + 4 * i, request.z[i], true)
    request.sent = performance.now()
    this.#flight.push(request)
    this.#socket.transmit(message.buffer)
  }
}
