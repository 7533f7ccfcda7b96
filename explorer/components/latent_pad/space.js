// The arithmetic of a latent and the directions that it can be moved along. It mirrors `models.latent`, so that
// Python finds the same latent again from the coordinates that a move is reported by.
const TELLING = 0.02 // pivot below which kept moves cannot be told apart
const DEGENERATE = 0.1 // share of a direction that must be its own, for two to move at once

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

// Solve a system that may be singular: Gauss-Jordan with full pivoting; what depends on the rest counts as 0, as do
// pivots below a least size.
function solve(matrix, right, least) {
  const rows = matrix.map((row, i) => [...row, right[i]])
  const solved = new Map() // columns to the rows that give them
  const open = new Set(rows.keys())
  while (open.size) {
    let [size, pivot, column] = [least, -1, -1]
    for (const i of open) {
      for (const j of matrix.keys()) {
        if (!solved.has(j) && Math.abs(rows[i][j]) > size) [size, pivot, column] = [Math.abs(rows[i][j]), i, j]
      }
    }
    if (pivot < 0) break
    open.delete(pivot)
    solved.set(column, pivot)
    const scale = rows[pivot][column]
    rows[pivot] = rows[pivot].map(value => value / scale)
    for (const i of rows.keys()) if (i !== pivot) rows[i] = addScaled(rows[i], rows[pivot], -rows[i][column])
  }
  return right.map((_, j) => (solved.has(j) ? rows[solved.get(j)].at(-1) : 0))
}

class Space {
  // vectors: unit rows, flat, whose coordinates can be set; moves: rows that a point moves along to set them while
  // others are kept, flat, or nothing where it moves along the vectors themselves.
  constructor(dim, vectors, moves) {
    const split = flat => Array.from({ length: flat.length / dim }, (_, k) => flat.subarray(k * dim, (k + 1) * dim))
    this.keeps = moves.length > 0
    this.rows = split(vectors)
    this.moves = this.keeps ? split(moves) : this.rows
  }

  coordinate(z, k) {
    return dot(this.rows[k], z)
  }

  // Return by what one sd along a direction changes the latent.
  step(k) {
    const scale = 1 / dot(this.rows[k], this.moves[k])
    return this.moves[k].map(value => scale * value)
  }

  // Return the latent with other coordinates along some directions; two at once if they are different enough.
  move(z, targets) {
    const alike = targets.length === 2 && Math.abs(dot(...targets.map(([k]) => this.moves[k])))
    if (alike < 1 - DEGENERATE) return this.reach(z, targets)
    return targets.reduce((moved, target) => this.reach(moved, [target]), z)
  }

  // Return the latent with the given coordinates: z + M^T (A M^T)^+ (values - A z), as `latent.set_coordinates` does.
  reach(z, targets) {
    if (!targets.length) return z
    const moves = targets.map(([k]) => this.moves[k])
    const weights = solve(
      targets.map(([k]) => moves.map(move => dot(this.rows[k], move))),
      targets.map(([k, value]) => value - this.coordinate(z, k)),
      this.keeps ? TELLING : 1e-9,
    )
    return weights.reduce((moved, weight, i) => addScaled(moved, moves[i], weight), z)
  }
}
