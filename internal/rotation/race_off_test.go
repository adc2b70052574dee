//go:build !race

package rotation

// modelSteps is how many steps the model takes.
const modelSteps = 1_000_000
