package racedetector

import "sync"

// AtOnce does some things at once, each fifty times. The race detector sees what they share.
func AtOnce(things ...func(n int)) {
	var group sync.WaitGroup
	for _, thing := range things {
		group.Go(func() {
			for n := range 50 {
				thing(n)
			}
		})
	}
	group.Wait()
}
