//go:build race

package rotation

// modelSteps is how many steps the model takes where the race detector makes each of them slow. hack/test.sh takes the million without it.
const modelSteps = 200_000
