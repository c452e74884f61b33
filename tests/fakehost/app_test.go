package fakehost_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/tests/fakehost"
)

const hostJSON = `{
	"version": "2.0", "functionTimeout": "00:05:00",
	"extensionBundle": {"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)"},
	"customHandler": {"description": {"defaultExecutablePath": "bin/handler", "arguments": ["serve --x=%MODE%", "%NONE%"]}},
	"extensions": {"eventHubs": {"maxEventBatchSize": 4}}
}`

const functionJSON = `{
	"bindings": [{"type": "eventHubTrigger", "direction": "in", "name": "events", "eventHubName": "%HUB%", "connection": "Hub", "cardinality": "many", "dataType": "binary"}],
	"retry": {"strategy": "exponentialBackoff", "maxRetryCount": 3, "minimumInterval": "00:00:02", "maximumInterval": "00:00:05"}
}`

const sweepJSON = `{"bindings": [{"type": "timerTrigger", "direction": "in", "name": "timer", "schedule": "0 * * * * *"}]}`

// root writes an app root; changes replace text in its files.
func root(t *testing.T, files map[string]string) string {
	t.Helper()
	all := map[string]string{"host.json": hostJSON, "function/function.json": functionJSON, "sweep/function.json": sweepJSON}
	maps.Copy(all, files)
	dir := t.TempDir()
	for name, text := range all {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func settings(more ...string) map[string]string {
	s := map[string]string{
		"FUNCTIONS_WORKER_RUNTIME": "custom", "AzureWebJobsStorage": "UseDevelopmentStorage=true", "HUB": "metrics", "MODE": "fast",
		"Hub": "Endpoint=sb://ns1.servicebus.windows.net/;SharedAccessKeyName=k;SharedAccessKey=v",
	}
	for i := 0; i < len(more); i += 2 {
		s[more[i]] = more[i+1]
	}
	return s
}

func TestReadAppTakesWhatTheHostTakes(t *testing.T) {
	dir := root(t, map[string]string{"bin/handler": "", "internal/x/function.json": "not a function: too deep"})
	got, err := fakehost.ReadApp(dir, settings("AzureFunctionsJobHost__FunctionTimeout", "00:00:07"))
	if err != nil {
		t.Fatal(err)
	}
	want := &fakehost.App{
		Root: dir, Executable: filepath.Join(dir, "bin/handler"), Arguments: []string{"serve", "--x=fast"}, Directory: dir,
		FunctionTimeout: 7 * time.Second, InitializationTimeout: 30 * time.Second, MaxEventBatchSize: 4, CheckpointEvery: 1,
		Functions: map[string]*fakehost.Function{
			"function": {
				Name: "function",
				Trigger: fakehost.Binding{
					Type: "eventHubTrigger", Name: "events", Direction: "in", Cardinality: "many", DataType: "binary",
					EventHubName: "metrics", ConsumerGroup: "$Default", Connection: "Hub",
				},
				Retry: &fakehost.Retry{Strategy: "exponentialBackoff", Max: 3, Min: 2 * time.Second, Most: 5 * time.Second},
			},
			"sweep": {Name: "sweep", Trigger: fakehost.Binding{Type: "timerTrigger", Name: "timer", Direction: "in", Schedule: "0 * * * * *"}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("app (-want +got):\n%s", diff)
	}
}

func TestReadAppTakesTheAppOfThisRepository(t *testing.T) {
	app, err := fakehost.ReadApp("../..", settings("METRICS_HUB", "metrics", "METRICS_CONSUMER_GROUP", "trimtab", "MetricsHub__fullyQualifiedNamespace", "ns"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := app.Functions["function"].Trigger.ConsumerGroup, "trimtab"; got != want {
		t.Errorf("consumer group %q, want %q", got, want)
	}
}

func TestReadAppRefusesWhatTheHostRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, file, old, new, want string
	}{
		{"another version", "host.json", `"2.0"`, `"3.0"`, "version"},
		{"text that is not JSON", "host.json", `{`, ``, "host.json"},
		{"no bundle", "host.json", `"id"`, `"x"`, "extensionBundle"},
		{"no description", "host.json", `"description"`, `"x"`, "missing worker description"},
		{"no executable", "host.json", "bin/handler", "", "defaultExecutablePath is empty"},
		{"a timeout below a second", "host.json", "00:05:00", "00:00:00.5", "functionTimeout"},
		{"a timeout that is none", "host.json", "00:05:00", "5m", "functionTimeout"},
		{"an empty batch", "host.json", `"maxEventBatchSize": 4`, `"maxEventBatchSize": 0`, "above 0"},
		{"an option of Event Hubs that does not exist", "host.json", "maxEventBatchSize", "maxBatchSize", "is no option"},
		{"an offset that does not exist", "host.json", `"maxEventBatchSize": 4`, `"initialOffsetOptions": {"type": "end"}`, `"end"`},
		{"a setting that does not resolve", "function/function.json", "%HUB%", "%HUBS%", "%HUBS% does not resolve"},
		{"a connection that is not there", "function/function.json", `"Hub"`, `"Bub"`, `"Bub"`},
		{"a data type that cannot be bound", "function/function.json", "binary", "stream", "dataType"},
		{"a retry without its count", "function/function.json", `"maxRetryCount": 3, `, "", "maxRetryCount"},
		{"a retry without its intervals", "function/function.json", `"minimumInterval": "00:00:02", `, "", "intervals"},
		{"an unknown retry", "function/function.json", "exponentialBackoff", "none", `"none"`},
		{"a binding that is an output", "function/function.json", `"in"`, `"out"`, "direction"},
		{"no trigger", "function/function.json", "eventHubTrigger", "eventHub", "0 triggers"},
		{"a schedule of seven fields", "sweep/function.json", "0 * *", "0 * * *", "fields"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := map[string]string{"host.json": hostJSON, "function/function.json": functionJSON, "sweep/function.json": sweepJSON}[tt.file]
			if !strings.Contains(text, tt.old) {
				t.Fatalf("%s does not hold %q", tt.file, tt.old)
			}
			_, err := fakehost.ReadApp(root(t, map[string]string{tt.file: strings.Replace(text, tt.old, tt.new, 1)}), settings())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("ReadApp: %v, want an error that says %q", err, tt.want)
			}
		})
	}
	t.Run("a second file beside a definition", func(t *testing.T) {
		if _, err := fakehost.ReadApp(root(t, map[string]string{"sweep/notes.md": ""}), settings()); err == nil {
			t.Error("ReadApp took it")
		}
	})
	t.Run("no storage and another runtime", func(t *testing.T) {
		_, err := fakehost.ReadApp(root(t, nil), settings("AzureWebJobsStorage", "", "FUNCTIONS_WORKER_RUNTIME", "node"))
		if err == nil || !strings.Contains(err.Error(), "AzureWebJobsStorage") || !strings.Contains(err.Error(), `"node"`) {
			t.Errorf("ReadApp: %v, want both named", err)
		}
	})
}

func TestDelayGrowsUpToItsBound(t *testing.T) {
	r := fakehost.Retry{Strategy: "exponentialBackoff", Min: 2 * time.Second, Most: 5 * time.Second}
	var got []time.Duration
	for attempt := 1; attempt <= 3; attempt++ {
		got = append(got, r.Delay(attempt))
	}
	if diff := cmp.Diff([]time.Duration{2 * time.Second, 4 * time.Second, 5 * time.Second}, got); diff != "" {
		t.Errorf("delays (-want +got):\n%s", diff)
	}
}
