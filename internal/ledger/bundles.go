package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
)

// The table also keeps the last good policy bundles, so that a start on another machine has them too: a row for each, its
// bytes cut to what a property holds, and no more of them than make a row of 1 MiB when written as base64.
const (
	bundlePartition = "bundle"
	bundlePiece     = 64 << 10
	bundlePieces    = 11
)

// KeepBundle replaces the bundle that is kept under a name. A bundle that does not fit into a row is refused.
func (t *Table) KeepBundle(ctx context.Context, name string, tarball []byte) error {
	if most := bundlePiece * bundlePieces; len(tarball) > most {
		return fmt.Errorf("ledger: keep bundle %s: its %d bytes do not fit into a row, which holds %d", name, len(tarball), most)
	}
	entity := aztables.EDMEntity{
		Entity:     aztables.Entity{PartitionKey: bundlePartition, RowKey: escape(name)},
		Properties: map[string]any{"Pieces": int32((len(tarball) + bundlePiece - 1) / bundlePiece)},
	}
	for i := 0; len(tarball) > 0; i++ {
		n := min(len(tarball), bundlePiece)
		entity.Properties[pieceName(i)] = aztables.EDMBinary(tarball[:n])
		tarball = tarball[n:]
	}
	row, err := json.Marshal(entity)
	if err == nil {
		_, err = t.client.UpsertEntity(ctx, row, &aztables.UpsertEntityOptions{UpdateMode: aztables.UpdateModeReplace})
	}
	if err != nil {
		return fmt.Errorf("ledger: keep bundle %s: %w", name, diagnose(err))
	}
	return nil
}

// Bundle reads the bundle that is kept under a name; nil if there is none, or no table yet.
func (t *Table) Bundle(ctx context.Context, name string) ([]byte, error) {
	answer, err := t.client.GetEntity(ctx, bundlePartition, escape(name), nil)
	if err != nil {
		err = diagnose(err)
	}
	if f := (*failure)(nil); errors.As(err, &f) && f.status == http.StatusNotFound {
		return nil, nil
	}
	var entity aztables.EDMEntity
	if err == nil {
		err = json.Unmarshal(answer.Value, &entity)
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: read bundle %s: %w", name, err)
	}
	pieces, ok := entity.Properties["Pieces"].(int32)
	if !ok || pieces > bundlePieces {
		return nil, fmt.Errorf("ledger: read bundle %s: the row does not say how many pieces it has", name)
	}
	var tarball []byte
	for i := range int(pieces) {
		piece, ok := entity.Properties[pieceName(i)].(aztables.EDMBinary)
		if !ok {
			return nil, fmt.Errorf("ledger: read bundle %s: piece %d of %d is missing", name, i, pieces)
		}
		tarball = append(tarball, piece...)
	}
	return tarball, nil
}

func pieceName(i int) string { return fmt.Sprintf("P%02d", i) }
