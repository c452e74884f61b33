// Package hub reaches an Event Hub: it sends, it reads a stretch, it follows a hub as one of several processes, and it
// gives away what is offered to it. It is the only room that knows azeventhubs and the blobs of its checkpoints.
//
// Two things it never does: it never decides how events are dealt to partitions, which is the broker's business (facts:
// events 3.2), and it never moves a checkpoint past an event before whoever takes the events has said that it is stored.
package hub

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
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

// Event is one event of a partition, as a reader sees it.
type Event struct {
	Partition  string
	Sequence   int64
	Offset     string
	EnqueuedAt time.Time
	// Key is the partition key, empty for none.
	Key string
	// Properties are the application's, System the message's own that its sender may set, by their names in AMQP. Both may
	// be nil.
	Properties, System map[string]any
	Body               []byte
}

// The SDK's own retries wait for up to 44 seconds. A sender's are shorter, and a reader's much shorter, because what it
// cannot mend itself is mended by opening the link again from the checkpoint, well before ownership runs out.
var (
	sending = azeventhubs.RetryOptions{MaxRetries: 5, RetryDelay: 500 * time.Millisecond, MaxRetryDelay: 5 * time.Second}
	reading = azeventhubs.RetryOptions{MaxRetries: 3, RetryDelay: 200 * time.Millisecond, MaxRetryDelay: 2 * time.Second}
)

const application = "trimtab"

// check refuses what no client can be made of, and takes the hub's name out where the connection string has it, because
// the SDK wants it once.
func (o *Options) check() error {
	if (o.Connection == "") == (o.Namespace == "") {
		return errors.New("either a connection string or a namespace is needed, not both")
	}
	if o.Connection == "" {
		if o.Hub == "" {
			return errors.New("a namespace needs the name of a hub too")
		}
		return nil
	}
	p, err := azeventhubs.ParseConnectionString(o.Connection)
	if err != nil {
		// The SDK's error may quote the string, and with it the key.
		return errors.New("the connection string is malformed; right would be Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=…")
	}
	if p.EntityPath != nil {
		o.Hub = ""
	} else if o.Hub == "" {
		return errors.New("no hub is named, neither beside the connection string nor in it")
	}
	return nil
}

// Name is "namespace/hub" as the options have it, without a call; empty where they are wrong.
func (o Options) Name() string {
	namespace, hub := o.Namespace, o.Hub
	if p, err := azeventhubs.ParseConnectionString(o.Connection); err == nil {
		namespace = p.FullyQualifiedNamespace
		if p.EntityPath != nil {
			hub = *p.EntityPath
		}
	}
	if namespace == "" || hub == "" {
		return ""
	}
	return namespace + "/" + hub
}

func (o Options) producer() (*azeventhubs.ProducerClient, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	options := &azeventhubs.ProducerClientOptions{
		ApplicationID: application, CustomEndpoint: o.Endpoint, TLSConfig: o.TLS, RetryOptions: sending,
	}
	if o.Connection != "" {
		return azeventhubs.NewProducerClientFromConnectionString(o.Connection, o.Hub, options)
	}
	return azeventhubs.NewProducerClient(o.Namespace, o.Hub, o.Credential, options)
}

func (o Options) consumer(group, instance string) (*azeventhubs.ConsumerClient, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	options := &azeventhubs.ConsumerClientOptions{
		ApplicationID: application, InstanceID: instance, CustomEndpoint: o.Endpoint, TLSConfig: o.TLS, RetryOptions: reading,
	}
	if o.Connection != "" {
		return azeventhubs.NewConsumerClientFromConnectionString(o.Connection, o.Hub, group, options)
	}
	return azeventhubs.NewConsumerClient(o.Namespace, o.Hub, group, o.Credential, options)
}

// eventOf makes an event of what was received. A body in several data sections is all of them together; one that is a
// value is taken where that is text or bytes, else it is empty, which nobody will understand.
func eventOf(partition string, r *azeventhubs.ReceivedEventData) Event {
	e := Event{
		Partition: partition, Sequence: r.SequenceNumber, Offset: r.Offset, Body: r.Body, Properties: r.Properties,
	}
	if r.EnqueuedTime != nil {
		e.EnqueuedAt = r.EnqueuedTime.UTC()
	}
	if r.PartitionKey != nil {
		e.Key = *r.PartitionKey
	}
	if raw := r.RawAMQPMessage; raw != nil {
		e.System = systemOf(raw.Properties)
		if e.Body == nil {
			for _, part := range raw.Body.Data {
				e.Body = append(e.Body, part...)
			}
			switch value := raw.Body.Value.(type) {
			case string:
				e.Body = []byte(value)
			case []byte:
				e.Body = value
			}
		}
	}
	return e
}

// pause waits, or ends with ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// longer doubles a pause up to a limit.
func longer(d, most time.Duration) time.Duration { return min(2*d, most) }

// closing is a context for the last calls of something whose own context has ended.
func closing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
}

// wrap says what was attempted, and leaves nil alone.
func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
