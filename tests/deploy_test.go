package tests_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// instruction is one line of a Dockerfile: a word, and what follows it.
type instruction struct{ word, rest string }

// stages are the instructions of a Dockerfile, stage by stage, each begun by its FROM.
func stages(t *testing.T, file string) (all [][]instruction) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		if word == "FROM" {
			all = append(all, nil)
		}
		if len(all) == 0 {
			t.Fatalf("%s: %s before FROM", file, word)
		}
		all[len(all)-1] = append(all[len(all)-1], instruction{word, strings.TrimSpace(rest)})
	}
	return all
}

// of are what follows a word in a stage.
func of(stage []instruction, word string) (all []string) {
	for _, i := range stage {
		if i.word == word {
			all = append(all, i.rest)
		}
	}
	return all
}

// ignored says which files a .dockerignore keeps from the builder: the last line that fits a file, or a folder above it,
// decides.
func ignored(t *testing.T, file string) func(name string) bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	type rule struct {
		form *regexp.Regexp
		back bool
	}
	var rules []rule
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		pattern, back := strings.CutPrefix(line, "!")
		form := regexp.QuoteMeta(pattern)
		form = strings.ReplaceAll(form, `\*\*/`, `(.*/)?`)
		form = strings.ReplaceAll(form, `\*`, `[^/]*`)
		rules = append(rules, rule{regexp.MustCompile(`^` + form + `(/.*)?$`), back})
	}
	return func(name string) (out bool) {
		for _, r := range rules {
			if r.form.MatchString(name) {
				out = !r.back
			}
		}
		return out
	}
}

// replay copies what a COPY of the build context would, and fails where that is nothing.
func replay(t *testing.T, copied, work string, keep func(string) bool) {
	t.Helper()
	words := strings.Fields(copied)
	to := words[len(words)-1]
	for _, from := range words[:len(words)-1] {
		n := 0
		err := filepath.WalkDir(filepath.Join(root, from), func(name string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			inside, err := filepath.Rel(root, name)
			if err != nil || keep(filepath.ToSlash(inside)) {
				return err
			}
			// A folder's content goes into the place that is named, a file into the folder.
			target := filepath.Join(work, to, strings.TrimPrefix(inside, from))
			if inside == from {
				target = filepath.Join(work, to, from)
			}
			if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
				return err
			}
			content, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			n++
			return os.WriteFile(target, content, 0o644)
		})
		if err != nil || n == 0 {
			t.Fatalf("COPY %s: %d files of %s, %v", copied, n, from, err)
		}
	}
}

// TestTheImageBuildsAndRuns walks through the Dockerfile as a builder would, with the toolchain that is here: only what
// .dockerignore lets through is there.
func TestTheImageBuildsAndRuns(t *testing.T) {
	all := stages(t, "deploy/Dockerfile")
	if len(all) != 2 {
		t.Fatalf("%d stages", len(all))
	}
	build, final := all[0], all[1]
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.GoVersion}}").Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := "golang:" + strings.Join(strings.SplitN(strings.TrimSpace(string(out)), ".", 3)[:2], ".") + " AS build"; build[0].rest != want {
		t.Errorf("built from %q, want %q", build[0].rest, want)
	}
	src, image := t.TempDir(), t.TempDir()
	drop := ignored(t, "deploy/Dockerfile.dockerignore")
	for _, copied := range of(build, "COPY") {
		replay(t, copied, src, drop)
	}
	runs := of(build, "RUN")
	binary := filepath.Join(image, "trimtab")
	line := strings.Replace(runs[len(runs)-1], "-o /trimtab", "-o "+binary, 1)
	cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
	cmd.Dir, cmd.Env = src, append(os.Environ(), "VERSION=1.2.3-image", "GOFLAGS=-mod=readonly")
	if text, err := cmd.CombinedOutput(); err != nil || len(runs) != 2 || runs[0] != "go mod download" {
		t.Fatalf("RUN %q: %v\n%s", runs, err, text)
	}
	for _, copied := range of(final, "COPY") {
		if !strings.HasPrefix(copied, "--from=build /trimtab ") {
			replay(t, copied, image, drop)
		}
	}
	env := map[string]string{}
	for _, pairs := range of(final, "ENV") {
		for pair := range strings.FieldsSeq(pairs) {
			name, value, _ := strings.Cut(pair, "=")
			env[name] = value
		}
	}
	if got := env["TRIMTAB_HEALTH_ADDRESS"]; !strings.HasSuffix(got, ":"+of(final, "EXPOSE")[0]) || of(final, "ENTRYPOINT")[0] != `["/trimtab"]` {
		t.Errorf("health at %q, port %q open, entry %q", got, of(final, "EXPOSE"), of(final, "ENTRYPOINT"))
	}
	run := func(stdin string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), binary, args...)
		cmd.Stdin, cmd.Dir = strings.NewReader(stdin), image
		cmd.Env = []string{"TRIMTAB_POLICIES=" + filepath.Join(image, env["TRIMTAB_POLICIES"])}
		text, err := cmd.CombinedOutput()
		return string(text), err
	}
	if text, err := run("", "version"); err != nil || !strings.Contains(text, "1.2.3-image") {
		t.Errorf("version: %v\n%s", err, text)
	}
	if text, err := run(`{"records":[]}`, "decode", "-"); err != nil {
		t.Errorf("decode, with the image's policies: %v\n%s", err, text)
	}
	var args []string
	if err := json.Unmarshal([]byte(of(final, "CMD")[0]), &args); err != nil {
		t.Fatal(err)
	}
	if text, err := run("", args...); err == nil || !strings.Contains(text, "TRIMTAB_TABLE_ENDPOINT") {
		t.Errorf("%q without settings: %v, want what is missing:\n%s", args, err, text)
	}
}

// manifest reads the documents of a YAML file.
func manifest(t *testing.T, file string) (all []map[string]any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var one map[string]any
		err := d.Decode(&one)
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, one)
	}
}

// in walks into a document by keys, and by numbers into lists.
func in(t *testing.T, doc any, keys ...any) any {
	t.Helper()
	for i, key := range keys {
		switch k := key.(type) {
		case string:
			m, _ := doc.(map[string]any)
			doc = m[k]
		case int:
			l, _ := doc.([]any)
			if k >= len(l) {
				t.Fatalf("nothing at %v", keys[:i+1])
			}
			doc = l[k]
		}
		if doc == nil {
			t.Fatalf("nothing at %v", keys[:i+1])
		}
	}
	return doc
}

// variables are the names and values of a container's environment, where both stand in the manifest.
func variables(t *testing.T, list any) map[string]string {
	t.Helper()
	env := map[string]string{}
	for _, one := range list.([]any) {
		env[in(t, one, "name").(string)] = fmt.Sprint(in(t, one, "value"))
	}
	return env
}

// readable fails for variables that the program does not read: a misspelt one would be passed over in silence.
func readable(t *testing.T, names []string) {
	t.Helper()
	known := settingsRead(t)
	for _, name := range names {
		if !slices.Contains(known, name) && !slices.Contains([]string{"MetricsHub__fullyQualifiedNamespace", "AZURE_CLIENT_ID"}, name) {
			t.Errorf("%s is no setting that the program reads", name)
		}
	}
}

// answered are the paths that the program answers probes at.
func answered(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	probes, err := os.ReadFile(filepath.Join(root, "handler", "probes.go"))
	if err != nil {
		t.Fatal(err)
	}
	paths := regexp.MustCompile(`path: '?(/[a-z]+)`).FindAllStringSubmatch(string(text), -1)
	if len(paths) != 2 {
		t.Errorf("%s: %d probes", file, len(paths))
	}
	for _, p := range paths {
		if !bytes.Contains(probes, []byte(p[1])) {
			t.Errorf("%s probes %s, which the program does not answer", file, p[1])
		}
	}
}

// What Kubernetes and KEDA make of the fields was tried with their own types; what must agree with the program is held here.
func TestTheManifestForKubernetesFitsTheProgram(t *testing.T) {
	docs := map[string]map[string]any{}
	for _, d := range manifest(t, "deploy/aks.yaml") {
		docs[d["kind"].(string)] = d
	}
	pod := in(t, docs["Deployment"], "spec", "template", "spec")
	container := in(t, pod, "containers", 0)
	env := variables(t, in(t, container, "env"))
	var names []string
	for name := range env {
		names = append(names, name)
	}
	readable(t, names)
	answered(t, "deploy/aks.yaml")
	final := stages(t, "deploy/Dockerfile")[1]
	if port := fmt.Sprint(in(t, container, "ports", 0, "containerPort")); port != of(final, "EXPOSE")[0] {
		t.Errorf("port %s is not the image's", port)
	}
	if grace := in(t, pod, "terminationGracePeriodSeconds").(int); grace < 20 {
		t.Errorf("%d seconds are too few for a batch and its checkpoint", grace)
	}
	selector, labels := in(t, docs["Deployment"], "spec", "selector", "matchLabels", "app"), in(t, docs["Deployment"], "spec", "template", "metadata", "labels")
	if in(t, labels, "app") != selector || in(t, labels, "azure.workload.identity/use") != "true" {
		t.Errorf("labels %v", labels)
	}
	account := in(t, docs["ServiceAccount"], "metadata", "name")
	if in(t, pod, "serviceAccountName") != account || in(t, docs["ServiceAccount"], "metadata", "annotations", "azure.workload.identity/client-id") == "" {
		t.Errorf("the pods' account is not %v", account)
	}

	scaled := in(t, docs["ScaledObject"], "spec")
	trigger := in(t, scaled, "triggers", 0)
	if in(t, scaled, "scaleTargetRef", "name") != in(t, docs["Deployment"], "metadata", "name") || in(t, scaled, "minReplicaCount").(int) < 1 ||
		in(t, trigger, "authenticationRef", "name") != in(t, docs["TriggerAuthentication"], "metadata", "name") || in(t, trigger, "type") != "azure-eventhub" {
		t.Errorf("got %v", scaled)
	}
	meta := map[string]string{}
	for name, value := range in(t, trigger, "metadata").(map[string]any) {
		text, ok := value.(string)
		if !ok {
			t.Errorf("%s: KEDA takes texts only, not %v", name, value)
		}
		meta[name] = text
	}
	if group := meta["consumerGroup"]; group != strings.ToLower(group) {
		t.Errorf("KEDA looks for the checkpoints of group %q in small letters", group)
	}
	checkRule(t, meta, strings.TrimSuffix(env["MetricsHub__fullyQualifiedNamespace"], ".servicebus.windows.net"), env["METRICS_HUB"], env["METRICS_CONSUMER_GROUP"])
	if !strings.HasPrefix(env["TRIMTAB_CHECKPOINT_ENDPOINT"], "https://"+meta["storageAccountName"]+".blob.") {
		t.Errorf("checkpoints at %s", env["TRIMTAB_CHECKPOINT_ENDPOINT"])
	}
}

// checkRule holds the metadata of a scale rule against where the program keeps its checkpoints.
func checkRule(t *testing.T, meta map[string]string, namespace, hub, group string) {
	t.Helper()
	settings, err := os.ReadFile(filepath.Join(root, "handler", "settings.go"))
	if err != nil {
		t.Fatal(err)
	}
	fallback := regexp.MustCompile(`setMarksName, fallback: "([^"]+)"`).FindSubmatch(settings)
	if fallback == nil || meta["blobContainer"] != string(fallback[1]) {
		t.Errorf("the rule looks into %s, the program writes into %s", meta["blobContainer"], fallback)
	}
	for name, want := range map[string]string{
		"eventHubNamespace": namespace, "eventHubName": hub, "consumerGroup": group,
		// The one strategy that reads metadata of blobs under namespace/hub/group/checkpoint/partition, where the SDK writes.
		"checkpointStrategy": "blobMetadata",
	} {
		if meta[name] != want || want == "" {
			t.Errorf("%s is %q, want %q", name, meta[name], want)
		}
	}
	known := []string{
		"eventHubNamespace", "eventHubName", "consumerGroup", "storageAccountName", "blobContainer", "checkpointStrategy",
		"unprocessedEventThreshold", "activationUnprocessedEventThreshold", "stalePartitionInfoThreshold", "cloud", "endpointSuffix",
		"storageEndpointSuffix", "connectionFromEnv", "storageConnectionFromEnv", "eventHubNameFromEnv", "eventHubNamespaceFromEnv",
	}
	for name := range meta {
		if !slices.Contains(known, name) {
			t.Errorf("%s is nothing that KEDA's azure-eventhub knows", name)
		}
	}
}

func TestTheContainerAppFitsTheProgram(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(root, "deploy", "containerapp.bicep"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	var names []string
	for _, m := range regexp.MustCompile(`\{ name: '([^']+)', value:`).FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	if len(names) < 6 {
		t.Errorf("%d variables", len(names))
	}
	readable(t, names)
	answered(t, "deploy/containerapp.bicep")
	port := of(stages(t, "deploy/Dockerfile")[1], "EXPOSE")[0]
	if n := strings.Count(text, "port: "+port+" "); n != 2 {
		t.Errorf("%d probes at the image's port %s", n, port)
	}
	for _, pair := range []string{"{}", "[]", "()"} {
		if strings.Count(text, pair[:1]) != strings.Count(text, pair[1:]) {
			t.Errorf("%q do not match", pair)
		}
	}
	// Each parameter is used, and nothing else is.
	for _, m := range regexp.MustCompile(`(?m)^param (\w+) `).FindAllStringSubmatch(text, -1) {
		if n := len(regexp.MustCompile(`\b`+m[1]+`\b`).FindAllString(text, -1)); n < 2 {
			t.Errorf("parameter %s is not used", m[1])
		}
	}
	meta := map[string]string{}
	_, rule, _ := strings.Cut(text, "metadata: {")
	rule, _, _ = strings.Cut(rule, "}")
	for _, m := range regexp.MustCompile(`(?m)^\s+(\w+): (\S+)$`).FindAllStringSubmatch(rule, -1) {
		meta[m[1]] = strings.Trim(m[2], "'")
	}
	checkRule(t, meta, "namespace", "hub", "consumerGroup")
}

func TestTheEmulatorsTakeTheirConfiguration(t *testing.T) {
	compose := manifest(t, "deploy/compose.yaml")[0]
	emulator := in(t, compose, "services", "eventhubs")
	mount := in(t, emulator, "volumes", 0).(string)
	parts := strings.Split(mount, ":")
	// Microsoft's documentation of the emulator says where its configuration is looked for.
	if len(parts) != 3 || parts[1] != "/Eventhubs_Emulator/ConfigFiles/Config.json" {
		t.Fatalf("volume %q", mount)
	}
	storage := in(t, emulator, "environment", "BLOB_SERVER").(string)
	if in(t, emulator, "environment", "METADATA_SERVER") != storage || in(t, emulator, "depends_on", 0) != storage {
		t.Errorf("the emulator's storage is %q", storage)
	}
	in(t, compose, "services", storage)

	// Its limits (facts: events 3.4) and its published schema: consumer groups are listed only where there is one.
	var config struct {
		UserConfig struct {
			NamespaceConfig []struct {
				Type, Name string
				Entities   []struct {
					Name, PartitionCount string
					ConsumerGroups       []struct{ Name string }
				}
			}
			LoggingConfig struct{ Type string }
		}
	}
	raw, err := os.ReadFile(filepath.Join(root, path.Join("deploy", parts[0])))
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&config); err != nil {
		t.Fatal(err)
	}
	c := config.UserConfig
	if len(c.NamespaceConfig) != 1 || c.NamespaceConfig[0].Name != "emulatorNs1" || c.NamespaceConfig[0].Type != "EventHub" || !slices.Contains([]string{"File", "Console"}, c.LoggingConfig.Type) {
		t.Fatalf("got %+v", c)
	}
	hubs := c.NamespaceConfig[0].Entities
	if len(hubs) < 1 || len(hubs) > 10 {
		t.Errorf("%d hubs", len(hubs))
	}
	named := map[string]bool{}
	for _, h := range hubs {
		named[h.Name] = true
		var partitions int
		if _, err := fmt.Sscan(h.PartitionCount, &partitions); err != nil || partitions < 1 || partitions > 32 {
			t.Errorf("%s has %q partitions", h.Name, h.PartitionCount)
		}
		if bytes.Contains(raw, []byte(`"ConsumerGroups": []`)) || len(h.ConsumerGroups) > 20 {
			t.Errorf("%s has %d consumer groups", h.Name, len(h.ConsumerGroups))
		}
		for _, g := range h.ConsumerGroups {
			if strings.EqualFold(g.Name, "$default") {
				t.Errorf("%s lists %s, which is there anyway", h.Name, g.Name)
			}
		}
	}
	// The sample's settings reach them where they are.
	var sample struct{ Values map[string]string }
	read(t, "local.settings.sample.json", &sample)
	if !named[sample.Values["METRICS_HUB"]] || !strings.Contains(sample.Values["MetricsHub"], "Endpoint=sb://localhost") || !strings.Contains(sample.Values["MetricsHub"], "UseDevelopmentEmulator=true") {
		t.Errorf("the sample names hub %q at %q", sample.Values["METRICS_HUB"], sample.Values["MetricsHub"])
	}
}
