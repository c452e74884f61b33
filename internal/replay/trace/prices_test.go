package trace_test

import (
	"strings"
	"testing"
	"time"

	"trimtab/internal/replay/trace"
)

func TestReadPrices(t *testing.T) {
	p, err := trace.ReadPrices("p", []byte("time,regular,spot_1\n2026-05-04T00:00:00Z,1.5,0.2\n2026-05-04T01:00:00+01:00,9,9\n"))
	if err == nil {
		t.Errorf("two rows of one instant were taken: %+v", p)
	}
	p, err = trace.ReadPrices("p", []byte("time, regular, spot_1\n2026-05-04T00:00:00Z, 1.5, 0.2\n2026-05-04T03:00:00Z, 2, 0.3\n"))
	if err != nil {
		t.Fatal(err)
	}
	if p.At(-time.Hour) != 0 || p.At(3*time.Hour-1) != 0 || p.At(3*time.Hour) != 1 || p.At(99*time.Hour) != 1 {
		t.Errorf("rows in force: %d %d %d", p.At(-time.Hour), p.At(3*time.Hour), p.At(99*time.Hour))
	}
	if p.Start.Hour() != 0 || p.Regular[1] != 2 || p.ByZone["1"][0] != 0.2 || p.Spot != nil {
		t.Errorf("got %+v", p)
	}
}

func TestReadPricesRefuses(t *testing.T) {
	for _, c := range []struct{ note, text, says string }{
		{"nothing", "", "EOF"},
		{"no time", "regular,spot\n1,2\n", "time or elapsed_s"},
		{"a column that is not known", "time,preis\n", `"preis"`},
		{"no rows", "time,spot\n", "no rows"},
		{"a time without a zone", "time,spot\n2026-05-04 00:00,1\n", "2026-05-04T09:00:00Z"},
		{"a price below nought", "elapsed_s,spot\n0,-1\n", "p:2"},
		{"no price", "elapsed_s,spot\n0,\n", "from 0 up"},
		{"seconds that are none", "elapsed_s,spot\nsoon,1\n", "number of seconds"},
	} {
		if _, err := trace.ReadPrices("p", []byte(c.text)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want something that says %q", c.note, err, c.says)
		}
	}
}

func TestReadPriceList(t *testing.T) {
	list := []byte("region,sku,usd_per_hour\nwesteurope,Standard_D4s_v5,0.23\nwesteurope,Standard_D8s_v5,0.46\nuksouth,Standard_D4s_v5,0.25\n")
	if v, err := trace.ReadPriceList("l", list, "uksouth", "standard_d4s_v5"); err != nil || v != 0.25 {
		t.Errorf("got %g, %v", v, err)
	}
	for _, c := range []struct{ region, size, says string }{
		{"westeurop", "Standard_D4s_v5", "did you mean westeurope?"},
		{"westeurope", "Standard_D4_v5", "did you mean Standard_D4s_v5?"},
		{"mars", "Standard_D4s_v5", `no region "mars"`},
	} {
		if _, err := trace.ReadPriceList("l", list, c.region, c.size); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("got %v, want something that says %q", err, c.says)
		}
	}
	if _, err := trace.ReadPriceList("l", []byte("a,b\n1,2\n"), "a", "b"); err == nil {
		t.Error("another file was taken")
	}
}
