package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2/checkpoints"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// Checkpoints says where ownership and positions are kept: in a blob container, which is made where it is not there.
type Checkpoints struct {
	// Connection is a connection string of a storage account; Endpoint the address of its blob service, used with
	// Credential. One of the two is given.
	Connection string
	Endpoint   string
	Credential azcore.TokenCredential
	Container  string
}

// emulated is what UseDevelopmentStorage=true stands for: the SDK does not know the short form (facts: rig B). Key and
// account are those of every storage emulator and no secret.
const emulated = "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;" +
	"AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;" +
	"BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;"

func (c Checkpoints) open() (*container.Client, error) {
	if c.Connection != "" {
		connection := c.Connection
		if strings.Contains(strings.ToLower(connection), "usedevelopmentstorage=true") {
			connection = emulated
		}
		client, err := container.NewClientFromConnectionString(connection, c.Container, nil)
		if err != nil {
			// The SDK's error may quote the string, and with it the key.
			return nil, errors.New("checkpoints: the storage connection string is malformed")
		}
		return client, nil
	}
	client, err := container.NewClient(c.Endpoint+"/"+c.Container, c.Credential, nil)
	return client, wrap("checkpoints", err)
}

// ensure makes the container where it is not there.
func ensure(ctx context.Context, blobs *container.Client) error {
	_, err := blobs.Create(ctx, nil)
	if err == nil || bloberror.HasCode(err, bloberror.ContainerAlreadyExists) {
		return nil
	}
	// An identity that may use the container need not be allowed to make one.
	if _, known := blobs.GetProperties(ctx, nil); known == nil {
		return nil
	}
	return fmt.Errorf("make the container for checkpoints: %w", err)
}

// store is the SDK's blob store with what it lacks (facts: events 3.3):
//
//   - a list of checkpoints that cannot be read is asked for again until it can. The Processor would otherwise believe
//     that it reads the partition, and nobody would until it restarts;
//   - a checkpoint beyond the partition's end, left by a hub that has been made anew, reads from the beginning. The
//     Processor would otherwise try to open a link for ever;
//   - a partition without a checkpoint that is to begin with what comes next gets one at once. A reader that loses its
//     link before its first event would otherwise begin behind what came in between;
//   - a checkpoint of a partition that is no longer ours is not written: it would move the new owner's back.
type store struct {
	inner *checkpoints.BlobStore
	blobs *container.Client
	self  string
	// end is the number and the offset of a partition's newest event.
	end    func(ctx context.Context, partition string) (int64, string, error)
	latest bool
	tell   func(Note)
	now    func() time.Time

	mu    sync.Mutex
	owned map[string]time.Time
	// roundAt is when ownership was last listed.
	roundAt time.Time
}

// ListCheckpoints lists the positions to begin at, of the partitions that are ours.
func (s *store) ListCheckpoints(ctx context.Context, namespace, hub, group string, options *azeventhubs.ListCheckpointsOptions) ([]azeventhubs.Checkpoint, error) {
	all, err := s.list(ctx, namespace, hub, group, options)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for i := range all {
		c := &all[i]
		known[c.PartitionID] = true
		if !s.ours(c.PartitionID) || c.SequenceNumber == nil {
			continue
		}
		last, _, err := s.end(ctx, c.PartitionID)
		if err != nil {
			s.tell(Note{Partition: c.PartitionID, What: "the end of the partition could not be read", Err: err})
			continue
		}
		if *c.SequenceNumber > last {
			s.tell(Note{Partition: c.PartitionID, What: fmt.Sprintf(
				"the checkpoint %d lies beyond the end %d, so the hub was made anew: reading from the beginning", *c.SequenceNumber, last)})
			c.SequenceNumber, c.Offset = to.Ptr[int64](-1), to.Ptr("-1")
		}
	}
	if !s.latest {
		return all, nil
	}
	for _, id := range s.partitions() {
		if known[id] {
			continue
		}
		c := azeventhubs.Checkpoint{FullyQualifiedNamespace: namespace, EventHubName: hub, ConsumerGroup: group, PartitionID: id}
		c, err := s.begin(ctx, c, func() ([]azeventhubs.Checkpoint, error) { return s.list(ctx, namespace, hub, group, options) })
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// list asks until it is answered.
func (s *store) list(ctx context.Context, namespace, hub, group string, options *azeventhubs.ListCheckpointsOptions) ([]azeventhubs.Checkpoint, error) {
	for wait := 200 * time.Millisecond; ; wait = longer(wait, 5*time.Second) {
		all, err := s.inner.ListCheckpoints(ctx, namespace, hub, group, options)
		if err == nil || ctx.Err() != nil {
			return all, err
		}
		s.tell(Note{What: "checkpoints could not be listed, trying again", Err: err})
		if err := pause(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// begin writes down the partition's end as the place to begin at, until it is written; where another process was quicker,
// what that wrote holds.
func (s *store) begin(ctx context.Context, c azeventhubs.Checkpoint, list func() ([]azeventhubs.Checkpoint, error)) (azeventhubs.Checkpoint, error) {
	name := fmt.Sprintf("%s/%s/%s/checkpoint/%s", c.FullyQualifiedNamespace, c.EventHubName, c.ConsumerGroup, c.PartitionID)
	for wait := 200 * time.Millisecond; ; wait = longer(wait, 5*time.Second) {
		last, offset, err := s.end(ctx, c.PartitionID)
		if err == nil {
			c.SequenceNumber, c.Offset = &last, &offset
			_, err = s.blobs.NewBlockBlobClient(name).Upload(ctx, streaming.NopCloser(bytes.NewReader(nil)), &blockblob.UploadOptions{
				Metadata:         map[string]*string{"sequencenumber": to.Ptr(strconv.FormatInt(last, 10)), "offset": &offset},
				AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)}},
			})
		}
		if err == nil {
			return c, nil
		}
		if bloberror.HasCode(err, bloberror.BlobAlreadyExists, bloberror.ConditionNotMet) {
			all, err := list()
			if i := slices.IndexFunc(all, func(o azeventhubs.Checkpoint) bool { return o.PartitionID == c.PartitionID }); i >= 0 || err != nil {
				if err != nil {
					return c, err
				}
				return all[i], nil
			}
		}
		s.tell(Note{Partition: c.PartitionID, What: "where to begin could not be written down, trying again", Err: err})
		if err := pause(ctx, wait); err != nil {
			return c, err
		}
	}
}

// SetCheckpoint writes the position of a partition, if that is still ours.
func (s *store) SetCheckpoint(ctx context.Context, c azeventhubs.Checkpoint, options *azeventhubs.SetCheckpointOptions) error {
	if !s.ours(c.PartitionID) {
		return nil
	}
	return s.inner.SetCheckpoint(ctx, c, options)
}

// released stands for no owner in a blob: the SDK writes an empty value, which the service leaves out and the SDK then
// takes for a fault of the whole list.
const released = "-"

// ListOwnership lists who owns what, and takes down what is ours.
func (s *store) ListOwnership(ctx context.Context, namespace, hub, group string, options *azeventhubs.ListOwnershipOptions) ([]azeventhubs.Ownership, error) {
	all, err := s.inner.ListOwnership(ctx, namespace, hub, group, options)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roundAt = s.now()
	for i := range all {
		if all[i].OwnerID == released {
			all[i].OwnerID = ""
		}
		s.note(all[i].PartitionID, all[i].OwnerID == s.self)
	}
	return all, nil
}

// ClaimOwnership claims partitions, and takes down which were got.
func (s *store) ClaimOwnership(ctx context.Context, asked []azeventhubs.Ownership, options *azeventhubs.ClaimOwnershipOptions) ([]azeventhubs.Ownership, error) {
	wanted := make([]azeventhubs.Ownership, len(asked))
	for i, o := range asked {
		if o.OwnerID == "" {
			o.OwnerID = released
		}
		wanted[i] = o
	}
	got, err := s.inner.ClaimOwnership(ctx, wanted, options)
	if err != nil {
		return got, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	mine := map[string]bool{}
	for i := range got {
		if got[i].OwnerID == released {
			got[i].OwnerID = ""
		}
		mine[got[i].PartitionID] = got[i].OwnerID == s.self
	}
	for _, o := range asked {
		s.note(o.PartitionID, mine[o.PartitionID])
	}
	return got, nil
}

// note takes down whether a partition is ours, and since when; s.mu is held.
func (s *store) note(partition string, ours bool) {
	if !ours {
		delete(s.owned, partition)
	} else if s.owned[partition].IsZero() {
		s.owned[partition] = s.now()
	}
}

func (s *store) ours(partition string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.owned[partition].IsZero()
}

func (s *store) partitions() (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.owned {
		ids = append(ids, id)
	}
	return ids
}
