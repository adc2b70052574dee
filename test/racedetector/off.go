//go:build !race

package racedetector

// On says whether the tests were built with -race.
const On = false
