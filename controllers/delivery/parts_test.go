package delivery

import (
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/removal"
)

// wholeOf is a Secret that loses all.
func wholeOf(place delivered.Place) removal.Part {
	return removal.Part{Namespace: place.Namespace, Secret: place.Name}
}

// regcredIn is the Secret "regcred" of a namespace, which loses all.
func regcredIn(namespace string) removal.Part {
	return removal.Part{Namespace: namespace, Secret: "regcred"}
}

// wholly are Secrets that lose all, as a keeper has them.
func wholly(places ...delivered.Place) map[delivered.Place]removal.Part {
	losing := map[delivered.Place]removal.Part{}
	for _, place := range places {
		losing[place] = wholeOf(place)
	}
	return losing
}

// wholeIn are the Secrets "regcred" of some namespaces, all of each.
func wholeIn(namespaces ...string) removal.Parts {
	var parts []removal.Part
	for _, namespace := range namespaces {
		parts = append(parts, regcredIn(namespace))
	}
	return removal.PartsOf(parts...)
}
