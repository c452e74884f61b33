// Package hub reaches an Event Hub: so far it sends. It is the only room that knows azeventhubs.
//
// It never decides how events are dealt to partitions: that is the broker's business (facts: events 3.2).
package hub

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
)

// Options say which hub, and how to reach it.
type Options struct {
	// Connection is a connection string; Namespace the fully qualified name of a namespace, used with Credential. One of
	// the two is given.
	Connection string
	Namespace  string
	Credential azcore.TokenCredential
	// Hub is the hub's name. It is left empty where the connection string names one (EntityPath).
	Hub string
	// Endpoint and TLS replace the address that is dialled and what is trusted there.
	Endpoint string
	TLS      *tls.Config
}

// Send sends bodies as events, in order, in as few batches as the hub's size limit allows, and returns how many were
// sent. Those that were are sent, whatever the error: a caller that tries again repeats them, which the receiver's own
// counting of sequence numbers does not undo.
func Send(ctx context.Context, o Options, bodies [][]byte) (sent int, err error) {
	client, err := connect(o)
	if err != nil {
		return 0, fmt.Errorf("connect to event hub: %w", err)
	}
	defer func() { _ = client.Close(context.WithoutCancel(ctx)) }()
	for sent < len(bodies) {
		batch, err := client.NewEventDataBatch(ctx, nil)
		if err != nil {
			return sent, fmt.Errorf("open a batch: %w", err)
		}
		n := 0
		for _, body := range bodies[sent:] {
			event := &azeventhubs.EventData{Body: body, ContentType: to.Ptr("application/json")}
			if err = batch.AddEventData(event, nil); err != nil {
				break
			}
			n++
		}
		if n == 0 && errors.Is(err, azeventhubs.ErrEventDataTooLarge) {
			return sent, fmt.Errorf("event %d of %d bytes is larger than the hub takes: %w", sent+1, len(bodies[sent]), err)
		}
		if err != nil && !errors.Is(err, azeventhubs.ErrEventDataTooLarge) {
			return sent, fmt.Errorf("add event %d: %w", sent+n+1, err)
		}
		if err := client.SendEventDataBatch(ctx, batch, nil); err != nil {
			return sent, fmt.Errorf("send %d events after %d: %w", n, sent, err)
		}
		sent += n
	}
	return sent, nil
}

func connect(o Options) (*azeventhubs.ProducerClient, error) {
	options := &azeventhubs.ProducerClientOptions{ApplicationID: "trimtab", CustomEndpoint: o.Endpoint, TLSConfig: o.TLS}
	switch {
	case (o.Connection == "") == (o.Namespace == ""):
		return nil, errors.New("either a connection string or a namespace is needed, not both")
	case o.Connection != "":
		p, err := azeventhubs.ParseConnectionString(o.Connection)
		if err != nil {
			// The SDK's error may quote the string, and with it the key.
			return nil, errors.New("the connection string is malformed; right would be Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=…")
		}
		if p.EntityPath != nil {
			o.Hub = ""
		}
		return azeventhubs.NewProducerClientFromConnectionString(o.Connection, o.Hub, options)
	case o.Hub == "":
		return nil, errors.New("a namespace needs the name of a hub too")
	}
	return azeventhubs.NewProducerClient(o.Namespace, o.Hub, o.Credential, options)
}
