package ledger_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"trimtab/internal/ledger"
	"trimtab/internal/ledger/ledgertest"
	"trimtab/internal/scale"
)

// beside opens a ledger, and its table with the SDK alone: what another program, or a person, sees.
func beside(t *testing.T) (*ledger.Table, *aztables.Client) {
	t.Helper()
	name := fmt.Sprintf("beside%d", tables.Add(1))
	l, err := ledger.OpenTable(t.Context(), ledger.TableOptions{ConnectionString: server(t).ConnectionString, Table: name})
	if err != nil {
		t.Fatal(err)
	}
	service, err := aztables.NewServiceClientFromConnectionString(server(t).ConnectionString, nil)
	if err != nil {
		t.Fatal(err)
	}
	return l, service.NewClient(name)
}

// fetch reads a row with the SDK.
func fetch(t *testing.T, c *aztables.Client, partition, key string) map[string]any {
	t.Helper()
	reply, err := c.GetEntity(t.Context(), partition, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(reply.Value, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestTableShowsOperatorsPlainColumns(t *testing.T) {
	l, client := beside(t)
	e := ledgertest.Entry("web", ledgertest.Noon, 2)
	if err := l.Commit(t.Context(), "web", scale.Commit{
		Attempt: "a", Control: ledgertest.Control(ledgertest.Noon, 1), Entry: e, Outcome: ledgertest.Outcome(e.Key, ledgertest.Noon),
	}); err != nil {
		t.Fatal(err)
	}
	row := fetch(t, client, "pool-web", "2-entry-"+e.Key)
	for name, want := range map[string]any{
		"pool": "web", "at": "2025-11-20T12:00:00.1234567Z", "action": "scale", "direction": "grow", "from": "3", "to": "5",
		"reason": "track", "mode": "enforce", "trigger": "events", "revision": "r1", "act": true, "note": e.Note,
		"outcome_result": "failed", "outcome_class": "quota", "outcome_code": "OperationNotAllowed", "outcome_capacity": "4",
		"at@odata.type": "Edm.DateTime", "to@odata.type": "Edm.Int64",
	} {
		if row[name] != want {
			t.Errorf("column %s is %v, want %v", name, row[name], want)
		}
	}
	control := fetch(t, client, "pool-web", "0-control")
	for name, value := range control {
		// The token may hold a signed URL: it stays within the document.
		if text, _ := value.(string); strings.Contains(text, "opaque") && !strings.HasPrefix(name, "control_") {
			t.Errorf("column %s shows the operation's token", name)
		}
	}
}

func TestTableLeavesANewerControlRowAlone(t *testing.T) {
	l, client := beside(t)
	newer := []byte(`{"PartitionKey":"pool-web","RowKey":"0-control","version":"2","version@odata.type":"Edm.Int64","control_00":"{\"version\":2,\"memory\":\"other\"}"}`)
	if _, err := client.AddEntity(t.Context(), newer, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Load(t.Context(), "web"); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("load: %v, want a refusal that names the version", err)
	}
	c := scale.Commit{Attempt: "a", Control: ledgertest.Control(ledgertest.Noon, 1), Entry: ledgertest.Entry("web", ledgertest.Noon, 1)}
	if err := l.Commit(t.Context(), "web", c); !errors.Is(err, scale.ErrConflict) {
		t.Errorf("commit: %v, want a conflict", err)
	}
	if row := fetch(t, client, "pool-web", "0-control"); row["version"] != "2" {
		t.Errorf("the newer row was overwritten: %v", row)
	}
	entry := fmt.Appendf(nil, `{"PartitionKey":"pool-api","RowKey":"2-entry-%s","version":"9","version@odata.type":"Edm.Int64","entry_parts":"0","entry_parts@odata.type":"Edm.Int64"}`,
		ledgertest.Key(ledgertest.Noon, 1))
	if _, err := client.AddEntity(t.Context(), entry, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Entries(t.Context(), "api", time.Time{}, 1); err == nil || !strings.Contains(err.Error(), "version 9") {
		t.Errorf("entries: %v, want a refusal that names the version", err)
	}
}

func TestTableKeepsWhatFitsOfALargeDeadLetter(t *testing.T) {
	l, client := beside(t)
	noise := make([]byte, 1<<20)
	random := rand.New(rand.NewPCG(3, 4))
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	var all []scale.DeadLetter
	for i := range 6 {
		letter := scale.DeadLetter{
			Source:     scale.Source{Hub: "NS/hub", Partition: "7", Sequence: int64(i), Known: true},
			ReceivedAt: ledgertest.Noon.Add(time.Duration(i) * time.Second), Body: noise,
		}
		for n := range 200 {
			letter.Rejections = append(letter.Rejections, scale.Rejection{Element: n, Reason: "bad", Detail: strings.Repeat("\x01", 4096)})
		}
		all = append(all, letter)
	}
	if err := l.Keep(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	got, err := l.DeadLetters(t.Context(), 99)
	if err != nil || len(got) != len(all) {
		t.Fatalf("%d dead letters, %v", len(got), err)
	}
	kept := got[0].Body
	if len(kept) < 600<<10 || !bytes.Equal(kept, noise[:len(kept)]) {
		t.Errorf("%d bytes are kept, and they are not the first", len(kept))
	}
	row := fetch(t, client, "dead-NS~2fhub~2f7", "9223372036854775803-0000000000000000004")
	if row["body_length"] != fmt.Sprint(len(noise)) || len(fmt.Sprint(row["body_sha256"])) != 64 || row["rejected"] != "200" {
		t.Errorf("the row does not tell what was cut: %v, %v, %v", row["body_length"], row["body_sha256"], row["rejected"])
	}
}

func TestTwoThatTrimAtOnceDeleteEverythingOnce(t *testing.T) {
	l, _ := beside(t)
	const n = 60
	for i := range n {
		e := ledgertest.Entry("web", ledgertest.Noon.Add(time.Duration(i)*time.Second), i)
		if err := l.Commit(t.Context(), "web", scale.Commit{Attempt: fmt.Sprint(i), Entry: e}); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error, 3)
	for range cap(done) {
		go func() {
			_, err := l.Trim(t.Context(), "web", ledgertest.Noon.Add(time.Hour), 999)
			done <- err
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if _, err := l.Trim(t.Context(), "web", ledgertest.Noon.Add(time.Hour), 999); err != nil {
		t.Error(err)
	}
	if left, err := l.Entries(t.Context(), "web", time.Time{}, 99); err != nil || len(left) != 0 {
		t.Errorf("%d entries are left, %v", len(left), err)
	}
}
