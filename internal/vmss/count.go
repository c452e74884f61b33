package vmss

import (
	"context"
	"fmt"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"trimtab/internal/scale"
)

// machine is one machine of a scale set, of either orchestration, as far as counting and choosing go.
type machine struct {
	// name is what names it to the scale set: the name of the machine on Flexible, the ordinal on Uniform (facts: VMSS 1.1).
	name      string
	spot      bool
	state     string // provisioning state
	power     string // without its prefix; "" when it was not said
	zone      string
	madeAt    int64 // Unix seconds, 0 when it was not said
	protected bool
	unhealthy bool
	// attached machines are those that the set did not make itself.
	attached bool
	// unseen is true of one whose state alone was told, without its instance view: whether it runs nobody knows.
	unseen bool
}

// where says what a machine counts as (facts: VMSS 3.2): the provisioning state is that of the last operation, so a
// failed one that runs is there.
type where int

const (
	gone where = iota
	there
	pending
	off
	broken
)

func (m *machine) where() where {
	switch {
	case strings.EqualFold(m.state, "Deleting"):
		return gone
	case m.power == "deallocated", m.power == "deallocating", m.power == "stopped", m.power == "stopping":
		return off
	case m.power == "running":
		return there
	case strings.EqualFold(m.state, "Failed"):
		return broken
	case m.power == "starting", strings.EqualFold(m.state, "Creating"):
		return pending
	default:
		return there
	}
}

// busy reports whether an operation on the machine has not ended, as far as is known: the words of a state that lasts are
// three.
func (m *machine) busy() bool {
	if m.unseen {
		return true
	}
	switch strings.ToLower(m.state) {
	case "", "succeeded", "failed", "canceled":
		return strings.HasSuffix(m.power, "ing") && m.power != "running"
	}
	return true
}

// Count counts the machines of a scale set, afresh: on Flexible by the list of machines filtered by the set, on Uniform
// by the set's own list, page by page (facts: VMSS 3.2). Facts are those that Read has just answered. Every error is a
// *scale.FleetError, and then there is no count: half a list is none.
func (f *Fleet) Count(ctx context.Context, scaleSet string, facts scale.Facts) (*scale.Live, error) {
	t, err := f.target(opCount, scaleSet)
	if err != nil {
		return nil, err
	}
	asked := f.options.Now()
	machines, fe := f.machinesOf(ctx, t, scaleSet, facts)
	if fe != nil {
		return nil, fe
	}
	l := counted(machines)
	l.ReadAt = asked
	if facts.Orchestration == scale.Flexible {
		l.Machines = make([]string, 0, len(machines))
		for i := range machines {
			if name := machines[i].name; name != "" {
				l.Machines = append(l.Machines, name)
			}
		}
	}
	return l, nil
}

// attachedNamed is how many of the machines that the set did not make are named.
const attachedNamed = 5

// counted adds machines up.
func counted(machines []machine) *scale.Live {
	l := &scale.Live{ByZone: map[string]scale.ZoneCount{}}
	for i := range machines {
		m := &machines[i]
		state := m.where()
		l.Each = append(l.Each, scale.Machine{
			Name: m.name, Spot: m.spot, There: state == there || state == pending, Off: state == off, Failed: state == broken, Stopped: strings.HasPrefix(m.power, "stop"),
			Busy: m.busy(), Protected: m.protected || m.attached,
		})
		if m.attached && state != gone {
			if l.Attached++; l.Attached <= attachedNamed {
				l.AttachedNames = append(l.AttachedNames, m.name)
			}
		}
		switch state {
		case off:
			l.Deallocated++
			continue
		case broken:
			l.Failed++
			continue
		case gone:
			continue
		}
		zone := l.ByZone[m.zone]
		count, waiting, inZone := &l.Regular, &l.PendingRegular, &zone.Regular
		if m.spot {
			count, waiting, inZone = &l.Spot, &l.PendingSpot, &zone.Spot
		}
		*count++
		*inZone++
		if state == pending {
			*waiting++
			zone.Pending++
		}
		l.ByZone[m.zone] = zone
		l.Instances++
	}
	return l
}

// machinesOf lists the machines of a scale set, all pages or none.
func (f *Fleet) machinesOf(ctx context.Context, t target, scaleSet string, facts scale.Facts) ([]machine, *scale.FleetError) {
	ctx, cancel := context.WithTimeout(told(ctx, t, classList), f.options.ReadTimeout)
	defer cancel()
	var all []machine
	if facts.Orchestration == scale.Uniform {
		pager := t.instances.NewListPager(t.group, t.name, &armcompute.VirtualMachineScaleSetVMsClientListOptions{Expand: to.Ptr("instanceView")})
		for pager.More() {
			if fe := f.spend(opCount, t, classList); fe != nil {
				return nil, fe
			}
			page, err := pager.NextPage(ctx)
			if err != nil {
				return nil, f.fail(opCount, t, classList, err)
			}
			for _, v := range page.Value {
				if v != nil {
					all = append(all, ofInstance(v, facts.Spot))
				}
			}
		}
		return all, nil
	}
	filter := fmt.Sprintf("'virtualMachineScaleSet/id' eq '%s'", strings.TrimRight(scaleSet, "/"))
	pager := t.machines.NewListPager(t.group, &armcompute.VirtualMachinesClientListOptions{
		Filter: &filter, Expand: to.Ptr(armcompute.ExpandTypeForListVMs(armcompute.ExpandTypesForListVMsInstanceView)),
	})
	for pager.More() {
		if fe := f.spend(opCount, t, classList); fe != nil {
			return nil, fe
		}
		page, err := pager.NextPage(ctx)
		if err != nil {
			return nil, f.fail(opCount, t, classList, err)
		}
		for _, v := range page.Value {
			if v != nil {
				all = append(all, ofMachine(v))
			}
		}
	}
	markAttached(all, t.name)
	return all, nil
}

// markAttached marks the machines that a Flexible set did not make itself. Its own bear its name (facts: VMSS 4.1); others
// were attached, of any size and priority, and nobody says whether a lower count may take them (facts: VMSS 2.4). Where no
// machine bears the name, names are given in some other way here, and say nothing.
func markAttached(machines []machine, set string) {
	prefix, own := strings.ToLower(set)+"_", 0
	for i := range machines {
		switch name := strings.ToLower(machines[i].name); {
		case strings.HasPrefix(name, prefix):
			own++
		default:
			machines[i].attached = name != ""
		}
	}
	for i := range machines {
		machines[i].attached = machines[i].attached && own > 0
	}
}

// ofMachine reads a machine of a Flexible set.
func ofMachine(v *armcompute.VirtualMachine) machine {
	m := machine{zone: zoneOf(v.Zones)}
	text(&m.name, v.Name)
	if tag := v.Tags[tagProtected]; tag != nil && !strings.EqualFold(*tag, "false") {
		m.protected = true
	}
	p := v.Properties
	if p == nil {
		return m
	}
	text(&m.state, p.ProvisioningState)
	// No priority means Regular; any other word than that means that it may go (facts: VMSS 2.2, 3.2).
	m.spot = p.Priority != nil && *p.Priority != "" && *p.Priority != armcompute.VirtualMachinePriorityTypesRegular
	if p.TimeCreated != nil {
		m.madeAt = p.TimeCreated.Unix()
	}
	m.unseen = p.InstanceView == nil
	if view := p.InstanceView; view != nil {
		m.power = powerOf(view.Statuses)
		m.unhealthy = view.VMHealth != nil && unhealthy(view.VMHealth.Status)
	}
	return m
}

// ofInstance reads an instance of a Uniform set, all of which have the set's own priority (facts: VMSS 2.2).
func ofInstance(v *armcompute.VirtualMachineScaleSetVM, spot bool) machine {
	m := machine{spot: spot, zone: zoneOf(v.Zones)}
	text(&m.name, v.InstanceID)
	p := v.Properties
	if p == nil {
		return m
	}
	text(&m.state, p.ProvisioningState)
	if p.TimeCreated != nil {
		m.madeAt = p.TimeCreated.Unix()
	}
	m.unseen = p.InstanceView == nil
	if view := p.InstanceView; view != nil {
		m.power = powerOf(view.Statuses)
		m.unhealthy = view.VMHealth != nil && unhealthy(view.VMHealth.Status)
	}
	if pp := p.ProtectionPolicy; pp != nil {
		m.protected = on(pp.ProtectFromScaleIn) || on(pp.ProtectFromScaleSetActions)
	}
	return m
}

func on(b *bool) bool { return b != nil && *b }

func text(into, from *string) {
	if from != nil {
		*into = *from
	}
}

func zoneOf(zones []*string) string {
	if len(zones) == 0 || zones[0] == nil {
		return ""
	}
	return *zones[0]
}

// powerOf is the power state among a machine's statuses, without its prefix and in lower case.
func powerOf(statuses []*armcompute.InstanceViewStatus) string {
	for _, s := range statuses {
		if s == nil || s.Code == nil {
			continue
		}
		if word, found := strings.CutPrefix(strings.ToLower(*s.Code), "powerstate/"); found {
			return word
		}
	}
	return ""
}

func unhealthy(s *armcompute.InstanceViewStatus) bool {
	return s != nil && s.Code != nil && strings.EqualFold(*s.Code, "HealthState/unhealthy")
}
