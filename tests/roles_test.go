package tests_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/doctor"
)

func TestTheShippedRolesGrantWhatDoctorAsksForAndNoMore(t *testing.T) {
	for file, want := range map[string][]string{
		"trimtab-sets.json": doctor.SetRights(), "trimtab-subscription.json": doctor.SubscriptionRights(),
	} {
		text, err := os.ReadFile(filepath.Join(root, "deploy", "roles", file))
		if err != nil {
			t.Fatal(err)
		}
		var role struct {
			Name, Description                                string
			IsCustom                                         bool
			Actions, NotActions, DataActions, NotDataActions []string
			AssignableScopes                                 []string
		}
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.DisallowUnknownFields()
		if err := d.Decode(&role); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(role.Actions))); diff != "" {
			t.Errorf("%s: (-doctor +role):\n%s", file, diff)
		}
		for _, action := range role.Actions {
			if strings.Contains(action, "*") {
				t.Errorf("%s: %s grants more than it names", file, action)
			}
		}
		if !role.IsCustom || role.Name == "" || len(role.AssignableScopes) != 1 || len(role.NotActions)+len(role.DataActions)+len(role.NotDataActions) > 0 {
			t.Errorf("%s: got %+v", file, role)
		}
	}
}
