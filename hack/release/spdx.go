package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
)

// created stands for the time of writing, which SPDX asks for and which would make each release another one.
const created = "1970-01-01T00:00:00Z"

// cycloneDX is what is read of a list of modules in that form.
type cycloneDX struct {
	Metadata struct {
		Component cycloneComponent `json:"component"`
	} `json:"metadata"`
	Components   []cycloneComponent `json:"components"`
	Dependencies []struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn"`
	} `json:"dependencies"`
}

type cycloneComponent struct {
	Ref     string `json:"bom-ref"`
	Name    string `json:"name"`
	Version string `json:"version"`
	PURL    string `json:"purl"`
}

// spdxDocument is a list of modules in the form of SPDX 2.3 (https://spdx.github.io/spdx-spec/v2.3/).
type spdxDocument struct {
	Version       string             `json:"spdxVersion"`
	DataLicense   string             `json:"dataLicense"`
	ID            string             `json:"SPDXID"`
	Name          string             `json:"name"`
	Namespace     string             `json:"documentNamespace"`
	Creation      spdxCreation       `json:"creationInfo"`
	Packages      []spdxPackage      `json:"packages"`
	Relationships []spdxRelationship `json:"relationships"`
}

type spdxCreation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type spdxPackage struct {
	ID               string          `json:"SPDXID"`
	Name             string          `json:"name"`
	Version          string          `json:"versionInfo,omitempty"`
	Download         string          `json:"downloadLocation"`
	FilesAnalyzed    bool            `json:"filesAnalyzed"`
	LicenseConcluded string          `json:"licenseConcluded"`
	LicenseDeclared  string          `json:"licenseDeclared"`
	Copyright        string          `json:"copyrightText"`
	References       []spdxReference `json:"externalRefs,omitempty"`
}

type spdxReference struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type spdxRelationship struct {
	Element string `json:"spdxElementId"`
	Type    string `json:"relationshipType"`
	Related string `json:"relatedSpdxElement"`
}

// spdxOf says in SPDX what a list in CycloneDX says: the modules of a program, and which needs which.
func spdxOf(list []byte, name string) ([]byte, error) {
	var bom cycloneDX
	if err := json.Unmarshal(list, &bom); err != nil {
		return nil, err
	}
	if bom.Metadata.Component.Ref == "" || len(bom.Components) == 0 {
		return nil, errors.New("it names no program or no module")
	}
	d := spdxDocument{
		Version: "SPDX-2.3", DataLicense: "CC0-1.0", ID: "SPDXRef-DOCUMENT", Name: name,
		Namespace: fmt.Sprintf("https://regcred.dev/spdx/%s-%x", name, sha256.Sum256(list)),
		Creation:  spdxCreation{Created: created, Creators: []string{"Tool: regcred-release"}},
	}
	ids := map[string]string{}
	for i, component := range append([]cycloneComponent{bom.Metadata.Component}, bom.Components...) {
		if ids[component.Ref] != "" {
			return nil, fmt.Errorf("%s is listed twice", component.Ref)
		}
		ids[component.Ref] = fmt.Sprintf("SPDXRef-%d-%s", i, notInID.ReplaceAllString(component.Name, "-"))
		d.Packages = append(d.Packages, packageOf(component, ids[component.Ref]))
	}
	d.Relationships = append(d.Relationships, spdxRelationship{d.ID, "DESCRIBES", ids[bom.Metadata.Component.Ref]})
	for _, dependency := range bom.Dependencies {
		for _, needed := range dependency.DependsOn {
			from, to := ids[dependency.Ref], ids[needed]
			if from == "" || to == "" {
				return nil, fmt.Errorf("%s needs %s, and one of them is not listed", dependency.Ref, needed)
			}
			d.Relationships = append(d.Relationships, spdxRelationship{from, "DEPENDS_ON", to})
		}
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(d)
	return out.Bytes(), err
}

// notInID is what an identifier of SPDX does not hold.
var notInID = regexp.MustCompile(`[^a-zA-Z0-9.-]+`)

func packageOf(component cycloneComponent, id string) spdxPackage {
	p := spdxPackage{
		ID: id, Name: component.Name, Version: component.Version, Download: "NOASSERTION",
		LicenseConcluded: "NOASSERTION", LicenseDeclared: "NOASSERTION", Copyright: "NOASSERTION",
	}
	if component.PURL != "" {
		p.References = []spdxReference{{"PACKAGE-MANAGER", "purl", component.PURL}}
	}
	return p
}
