package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"trimtab/internal/engine"
	"trimtab/internal/ledger"
	"trimtab/internal/policy"
	"trimtab/internal/scale"
	"trimtab/internal/vmss"
)

// What the engine asks for is what the rooms give.
var (
	_ engine.Policy = (*policy.Bundle)(nil)
	_ engine.Fleet  = (*vmss.Fleet)(nil)
	_ engine.Ledger = (*ledger.Table)(nil)
	_ engine.Ledger = (*ledger.Memory)(nil)
	_ engine.Ledger = (*ledger.File)(nil)
	_ corridor      = (*engine.Engine)(nil)
)

// memory is a ledger as the hall holds it: the engine's, with what reads it back and what opens and closes it.
type memory interface {
	engine.Ledger
	Entries(ctx context.Context, pool string, before time.Time, n int) ([]scale.Entry, error)
	trimmer
	// Ensure makes ready what the first call needs.
	Ensure(ctx context.Context) error
	Close() error
}

// tableMemory, localMemory and fileMemory give each ledger what it lacks.
type (
	tableMemory struct{ *ledger.Table }
	localMemory struct{ *ledger.Memory }
	fileMemory  struct{ *ledger.File }
)

func (tableMemory) Close() error                 { return nil }
func (localMemory) Ensure(context.Context) error { return nil }
func (localMemory) Close() error                 { return nil }
func (fileMemory) Ensure(context.Context) error  { return nil }

// openLedger opens the ledger for writing, without a call to any service.
func openLedger(c *Config, credential azcore.TokenCredential) (memory, error) {
	switch c.Ledger.Kind {
	case InMemory:
		return localMemory{ledger.NewMemory()}, nil
	case InFile:
		file, err := ledger.OpenFile(c.Ledger.Dir)
		if err != nil {
			return nil, err
		}
		return fileMemory{file}, nil
	}
	table, err := ledger.NewTable(ledger.TableOptions{
		ConnectionString: c.Ledger.Connection, Endpoint: c.Ledger.Endpoint, Credential: credential, Table: c.Ledger.Table,
	})
	if err != nil {
		return nil, err
	}
	return tableMemory{table}, nil
}

// loadPolicies compiles the policies that the configuration names, for a command at the desk: of bundles, the last good
// ones that lie on this machine's disk, or else what the service has. The error holds every problem, a line each.
func loadPolicies(ctx context.Context, c *Config) (*policy.Bundle, error) {
	s, err := openSupply(ctx, c, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	s.stop(ctx)
	return s.shelf.Policies(), nil
}

// newCredential is the platform's managed identity where there is one, else whatever a developer has signed in with.
func newCredential(c *Config) (azcore.TokenCredential, error) {
	if c.OnPlatform {
		options := &azidentity.ManagedIdentityCredentialOptions{}
		if c.ClientID != "" {
			options.ID = azidentity.ClientID(c.ClientID)
		}
		credential, err := azidentity.NewManagedIdentityCredential(options)
		if err != nil {
			return nil, fmt.Errorf("managed identity: %w", err)
		}
		return credential, nil
	}
	credential, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		return nil, fmt.Errorf("developer credential: %w", err)
	}
	return credential, nil
}
