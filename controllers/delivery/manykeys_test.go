package delivery

import (
	"fmt"
	"testing"
)

// The entries of a removal are kept in the record of the RegistryCredential, which is bounded. One can provide 32 registries: a record of thousands is its
// namespace's people's work, and a few of them would have nothing that is decided kept any more.
func TestARecordOfMoreEntriesThanWereEverProvidedIsNotBelievedAtTheStart(t *testing.T) {
	var keys []string
	for i := range 5000 {
		keys = append(keys, fmt.Sprintf("k%04d.example", i))
	}
	var l ledger
	secret := version("a", "5", keys...)
	secret.Namespace, secret.Name = ofShop.Namespace, ofShop.Name
	if l.begin(secret); len(l.at(ofShop, "company").known) > 0 {
		t.Errorf("%d entries of one RegistryCredential are believed to be delivered", len(l.at(ofShop, "company").known))
	}
	few := version("b", "6", keys[:64]...)
	few.Namespace, few.Name = ofShop.Namespace, ofShop.Name
	if l.begin(few); len(l.at(ofShop, "company").known) != 64 {
		t.Errorf("%d of 64 are", len(l.at(ofShop, "company").known))
	}
}
