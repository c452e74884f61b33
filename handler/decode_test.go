package main

import (
	"strings"
	"testing"
)

func TestDecodeReadsWhatStandsBesideTheBody(t *testing.T) {
	body := write(t, "body.json", `{"metricName":"queue_depth","value":1280}`)
	const event = `"cloudEvents_specversion":"1.0","cloudEvents_source":"/fleets/web","cloudEvents_subject":"web-vmss","cloudEvents_type":"t","cloudEvents_time":"2026-05-04T09:03:10Z"`
	plain := write(t, "properties.json", `{`+event+`}`)
	split := write(t, "split.json", `{"properties":{`+event+`},"system":{"content-type":"application/json"}}`)
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"nothing beside it: a reading that says of nothing", nil, `"rejected":"missing_field"`},
		{"a file of properties", []string{"--properties", plain}, `"resource":"web-vmss"`},
		{"a file of both kinds", []string{"--properties", split}, `"resource":"web-vmss"`},
		{"one that wins over the file", []string{"--properties", split, "--property", "cloudEvents_subject=web=2"}, `"resource":"web=2"`},
		{"a content-encoding that is not undone", []string{"--property", "content-encoding=br", write(t, "br", "\x8b\x02")}, `content-encoding is br`},
	} {
		code, out, errs := call(t, nil, append([]string{"decode", body}, c.args...)...)
		if code != exitDone || !strings.Contains(out, c.want) {
			t.Errorf("%s: %d\n%s\n%s", c.name, code, out, errs)
		}
	}
	for _, args := range [][]string{
		{"--properties", "no-such-file"}, {"--properties", write(t, "array", "[]")}, {"--property", "x"}, {"--property", "=x"},
	} {
		if code, _, errs := call(t, nil, append([]string{"decode", body}, args...)...); code == exitDone || errs == "" {
			t.Errorf("%v: %d %s", args, code, errs)
		}
	}
}

func TestDecodeShowsNotices(t *testing.T) {
	body := write(t, "body.json", `{"category":"ResourceHealth","time":"2026-05-04T09:03:10Z","resourceId":"/A/virtualMachines/w_1","properties":{"currentHealthStatus":"Unavailable"}}`)
	code, out, errs := call(t, nil, "decode", body)
	if code != exitDone || !strings.Contains(out, `"notice":"health","resource":"/a/virtualmachines/w_1"`) || !strings.Contains(errs, "1 notices; 0 rejections") {
		t.Errorf("%d\n%s\n%s", code, out, errs)
	}
}

func TestDecodeAnswersAsTheHandlerRoutes(t *testing.T) {
	own := func(resource, rest string) string {
		return `{"trimtab":1,"resource":"` + resource + `","metric":"Percentage CPU","time":"2026-05-04T09:00:00Z","value":1` + rest + `}`
	}
	for name, c := range map[string]struct{ body, want string }{
		"the mere name of a set":       {own("web", ""), `virtualmachinescalesets/web","metric":"percentage cpu","at":"2026-05-04T09:00:00Z","values":{"average":1,"count":1,"maximum":1,"minimum":1,"total":1},"signals":["web.cpu"]`},
		"a name that is no set's":      {own("shop", ""), `"signals":[],"note":"no signal names this resource"`},
		"a unit of another quantity":   {own(webSet, `,"unit":"Bytes"`), `"signals":[],"note":"signal web.cpu names this series, but is in percent, which Bytes is no unit of"`},
		"another unit of the signal's": {own(webSet, `,"unit":"1"`), `"signals":["web.cpu"]`},
		"what autoscale counts":        {`{"category":"AutoscaleScaleActions","time":"2026-05-04T09:06:01Z","properties":{"ResourceId":"` + webSet + `","OldInstancesCount":3,"NewInstancesCount":4}}`, `"before":3,"after":4`},
	} {
		code, out, errs := call(t, nil, "decode", write(t, "body.json", c.body))
		if code != exitDone || !strings.Contains(out, c.want) {
			t.Errorf("%s: %d, want %s\n%s\n%s", name, code, c.want, out, errs)
		}
	}
}
