// The arithmetic of a latent and the directions that it can be moved along. It mirrors `models.latent`, so that
// Python finds the same latent again from the coordinates that a move is reported by.
const DEGENERATE = 0.1 // share of a direction that must be its own, if the others are to stay

function decodeBytes(text) {
  return Uint8Array.from(atob(text), character => character.charCodeAt(0))
}

function decodeFloats(text) {
  return Float64Array.from(new Float32Array(decodeBytes(text).buffer))
}

function dot(a, b) {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i]
  return sum
}

function addScaled(a, b, factor) {
  return a.map((value, i) => value + factor * b[i])
}

function distance(a, b) {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0)
}

// Solve a symmetric system that may be singular: Gauss-Jordan with pivots on the diagonal; what depends on the rest
// counts as 0.
function solve(matrix, right) {
  const rows = matrix.map((row, i) => [...row, right[i]])
  const open = new Set(rows.keys())
  while (open.size) {
    const pivot = [...open].reduce((best, i) => (rows[i][i] > rows[best][best] ? i : best))
    open.delete(pivot)
    if (rows[pivot][pivot] < 1e-9) {
      rows[pivot] = rows[pivot].map(() => 0)
      continue
    }
    rows[pivot] = rows[pivot].map(value => value / rows[pivot][pivot])
    for (const i of rows.keys()) if (i !== pivot) rows[i] = addScaled(rows[i], rows[pivot], -rows[i][pivot])
  }
  return rows.map(row => row.at(-1))
}

class Space {
  // vectors: unit rows, flat; shown: how many of the first ones stay fixed while another moves, if `keep` is on.
  constructor(vectors, dim, shown, keep) {
    this.vectors = vectors
    this.rows = Array.from({ length: vectors.length / dim }, (_, k) => vectors.subarray(k * dim, (k + 1) * dim))
    this.shown = shown
    this.keep = keep
    this.steps = new Map()
  }

  coordinate(z, k) {
    return dot(this.rows[k], z)
  }

  // Return by what one sd along a direction changes the latent, and which directions' coordinates that sets.
  //
  // Where the others stay, it is the part of the direction that is orthogonal to them, stretched until it makes one
  // sd: the shortest such step. A direction that has hardly a part of its own moves as it is.
  step(k) {
    if (!this.steps.has(k)) this.steps.set(k, this.keep ? this.#alone(k) : { vector: this.rows[k], sets: [k] })
    return this.steps.get(k)
  }

  #alone(k) {
    const others = Array.from({ length: this.shown }, (_, i) => i).filter(i => i !== k)
    const basis = []
    const rest = vector => basis.reduce((left, unit) => addScaled(left, unit, -dot(left, unit)), vector)
    for (const i of others) {
      const left = rest(rest(this.rows[i])) // twice, against rounding
      const norm = Math.sqrt(dot(left, left))
      if (norm > 1e-6) basis.push(left.map(value => value / norm))
    }
    const own = rest(rest(this.rows[k]))
    const square = dot(own, own)
    if (Math.sqrt(square) < DEGENERATE) return { vector: this.rows[k], sets: [k] }
    return { vector: own.map(value => value / square), sets: [k, ...others] }
  }

  // Return the latent with other coordinates along some directions, and which directions that sets.
  move(z, targets) {
    if (targets.length === 2 && !this.keep) {
      const [[first], [second]] = targets
      const alike = Math.abs(dot(this.rows[first], this.rows[second]))
      if (alike < 1 - DEGENERATE) return { z: this.nearest(z, targets), sets: [first, second] }
    }
    const sets = new Set()
    for (const [k, value] of targets) {
      const step = this.step(k)
      z = addScaled(z, step.vector, value - this.coordinate(z, k))
      step.sets.forEach(i => sets.add(i))
    }
    return { z, sets: [...sets] }
  }

  // Return the nearest latent with the given coordinates: z + A^+ (values - A z), as `latent.set_coordinates` does.
  nearest(z, targets) {
    if (!targets.length) return z
    const rows = targets.map(([k]) => this.rows[k])
    const weights = solve(
      rows.map(a => rows.map(b => dot(a, b))),
      targets.map(([k, value]) => value - this.coordinate(z, k)),
    )
    return weights.reduce((moved, weight, i) => addScaled(moved, rows[i], weight), z)
  }
}
