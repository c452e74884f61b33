package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"trimtab/internal/scale"
)

// TableOptions say which table, and how to reach it.
type TableOptions struct {
	// ConnectionString is a storage account's, or "UseDevelopmentStorage=true"; Endpoint is the table service's URL, with
	// a shared access signature or, without one, used with Credential. One of the two is given.
	ConnectionString string
	Endpoint         string
	Credential       azcore.TokenCredential
	// Table is the table's name, "trimtab" unless given.
	Table string
	// DevelopmentPort is where "UseDevelopmentStorage=true" looks on this machine, 10002 unless given.
	DevelopmentPort int
	// TryTimeout bounds one request; the caller's context bounds them all. Ten seconds unless given, which is what the
	// service gives itself.
	TryTimeout time.Duration
	// Transport replaces the SDK's own.
	Transport policy.Transporter
}

// Table is the ledger in Table storage. It is safe for concurrent use, among processes too.
type Table struct {
	client *aztables.Client
	name   string
}

// The public account that every storage emulator knows; its key is no secret.
const (
	developmentAccount = "devstoreaccount1"
	developmentKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

var tableName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{2,62}$`)

// OpenTable opens the ledger and creates its table where it is missing. One call finds an existing table, so the right
// to create tables is needed only where there is none.
func OpenTable(ctx context.Context, o TableOptions) (*Table, error) {
	t, err := NewTable(o)
	if err != nil {
		return nil, err
	}
	if err := t.Ensure(ctx); err != nil {
		return nil, err
	}
	return t, nil
}

// NewTable makes the ledger without a call to the service; Ensure must succeed before a missing table can be used.
func NewTable(o TableOptions) (*Table, error) {
	if o.Table == "" {
		o.Table = "trimtab"
	}
	if !tableName.MatchString(o.Table) {
		return nil, fmt.Errorf("ledger: table name %q: 3 to 63 letters and digits, a letter first", o.Table)
	}
	if o.TryTimeout <= 0 {
		o.TryTimeout = 10 * time.Second
	}
	// Three repetitions wait two seconds in all. Longer trouble, and a Retry-After above the greatest delay, are left to
	// whoever delivers the batch again: the caller's time does not come again.
	options := &aztables.ClientOptions{ClientOptions: azcore.ClientOptions{
		Transport: o.Transport,
		Telemetry: policy.TelemetryOptions{ApplicationID: "trimtab"},
		Retry: policy.RetryOptions{
			MaxRetries: 3, TryTimeout: o.TryTimeout, RetryDelay: 150 * time.Millisecond, MaxRetryDelay: 3 * time.Second,
		},
	}}
	service, err := connect(&o, options)
	if err != nil {
		return nil, err
	}
	return &Table{client: service.NewClient(o.Table), name: o.Table}, nil
}

// connect chooses among the ways of proving who one is.
func connect(o *TableOptions, options *aztables.ClientOptions) (service *aztables.ServiceClient, err error) {
	switch {
	case (o.ConnectionString == "") == (o.Endpoint == ""):
		return nil, errors.New("ledger: either a connection string or an endpoint is needed, not both")
	case o.ConnectionString != "":
		service, err = aztables.NewServiceClientFromConnectionString(expand(o.ConnectionString, o.DevelopmentPort), options)
	case strings.Contains(o.Endpoint, "?"):
		service, err = aztables.NewServiceClientWithNoCredential(o.Endpoint, options)
	case o.Credential == nil:
		return nil, errors.New("ledger: the endpoint has no shared access signature, so a credential is needed")
	default:
		service, err = aztables.NewServiceClient(o.Endpoint, o.Credential, options)
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: connect to Table storage: %w", err)
	}
	return service, nil
}

// expand writes the development shortcut out, which the Functions tools write and the SDK does not know (facts: rig B).
func expand(connection string, port int) string {
	for field := range strings.SplitSeq(connection, ";") {
		if strings.EqualFold(strings.TrimSpace(field), "UseDevelopmentStorage=true") {
			if port == 0 {
				port = 10002
			}
			return fmt.Sprintf("DefaultEndpointsProtocol=http;AccountName=%s;AccountKey=%s;TableEndpoint=http://127.0.0.1:%d/%s",
				developmentAccount, developmentKey, port, developmentAccount)
		}
	}
	return connection
}

// Ensure creates the table if it is missing.
func (t *Table) Ensure(ctx context.Context) error {
	_, err := t.rows(ctx, "PartitionKey eq '-'", "PartitionKey", 1)
	var f *failure
	if err == nil {
		return nil
	}
	if !errors.As(err, &f) || f.status != http.StatusNotFound {
		return fmt.Errorf("ledger: open table %s: %w", t.name, err)
	}
	_, err = t.client.CreateTable(ctx, nil)
	if err = diagnose(err); errors.As(err, &f) && f.code == "TableAlreadyExists" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("ledger: create table %s: %w", t.name, err)
	}
	return nil
}

// Load reads a pool's control row and windows, in one query unless the service cuts it into pages.
func (t *Table) Load(ctx context.Context, pool string) (scale.Stored, error) {
	var stored scale.Stored
	if pool == "" {
		return stored, errors.New("ledger: load: the pool has no name")
	}
	found, err := t.rows(ctx, within(partitionOf(pool), controlKey, entryPrefix), "", 0)
	if err != nil {
		return stored, fmt.Errorf("ledger: load %s: %w", pool, err)
	}
	for _, c := range found {
		if err := c.join(&stored); err != nil {
			return scale.Stored{}, fmt.Errorf("ledger: load %s: %w", pool, err)
		}
	}
	// Escaping changes the order of sources; every ledger answers in that of the sources themselves.
	slices.SortFunc(stored.Windows, func(a, b scale.StoredWindow) int { return strings.Compare(a.Source, b.Source) })
	return stored, nil
}

// join adds a control or window row to what was read of a pool.
func (c cells) join(stored *scale.Stored) (err error) {
	tag := c.text("odata.etag")
	if tag == "" {
		return fmt.Errorf("row %s came without an ETag", c.text("RowKey"))
	}
	if c.text("RowKey") == controlKey {
		stored.Control, err = c.control()
		stored.ControlVersion = tag
		return err
	}
	data, err := c.binary("window")
	if err != nil {
		return err
	}
	stored.Windows = append(stored.Windows, scale.StoredWindow{Source: c.text("source"), Data: data, Version: tag})
	return nil
}

// within is the filter for rows of a partition from one key up to and without another.
func within(partition, from, to string) string {
	return fmt.Sprintf("PartitionKey eq '%s' and RowKey ge '%s' and RowKey lt '%s'", partition, from, to)
}

// pageSize is how many rows the service puts on a page at most (facts: events 5.1).
const pageSize = 1000

// rows reads the rows of a query over all its pages, at most n unless n is 0. A page may be empty and not be the last.
func (t *Table) rows(ctx context.Context, filter, columns string, n int) ([]cells, error) {
	format := aztables.MetadataFormatMinimal
	options := &aztables.ListEntitiesOptions{Filter: &filter, Format: &format}
	if columns != "" {
		options.Select = &columns
	}
	if n > 0 {
		top := int32(min(n, pageSize))
		options.Top = &top
	}
	var found []cells
	for pager := t.client.NewListEntitiesPager(options); pager.More() && (n == 0 || len(found) < n); {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return nil, diagnose(err)
		}
		for _, entity := range page.Entities {
			var c cells
			if err := json.Unmarshal(entity, &c); err != nil {
				return nil, fmt.Errorf("decode a row: %w", err)
			}
			found = append(found, c)
		}
	}
	if n > 0 && len(found) > n {
		found = found[:n]
	}
	return found, nil
}
