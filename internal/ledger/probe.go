package ledger

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
)

// Probe asks whether the table is there and whether rows may be read and written, and changes nothing: for writing it
// deletes a row that no ledger ever has, which the service answers with "not found" only to those who may.
func (t *Table) Probe(ctx context.Context) (there bool, err error) {
	_, err = t.rows(ctx, "PartitionKey eq '-'", "PartitionKey", 1)
	var f *failure
	if errors.As(err, &f) && f.status == http.StatusNotFound {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("ledger: read table %s: %w", t.name, err)
	}
	_, err = t.client.DeleteEntity(ctx, "-", "probe", &aztables.DeleteEntityOptions{IfMatch: to.Ptr(azcore.ETag(`W/"probe"`))})
	if err = diagnose(err); errors.As(err, &f) && (f.status == http.StatusNotFound || f.status == http.StatusPreconditionFailed) {
		return true, nil
	}
	if err != nil {
		return true, fmt.Errorf("ledger: write to table %s: %w", t.name, err)
	}
	return true, nil
}

// Denied reports whether an error says that the caller may not, rather than that the service was not reached.
func Denied(err error) bool {
	var f *failure
	return errors.As(err, &f) && (f.status == http.StatusForbidden || f.status == http.StatusUnauthorized)
}
