package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"ambit.dev/ambit/internal/companion/start"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/microvm"
	"ambit.dev/ambit/internal/enforce/microvm/channel"
	"ambit.dev/ambit/internal/enforce/microvm/image"
	"ambit.dev/ambit/internal/enforce/microvm/machine"
	"ambit.dev/ambit/internal/enforce/microvm/qemu"
	"ambit.dev/ambit/internal/enforce/probe"
	"ambit.dev/ambit/internal/enforce/process"
)

// guardProgram becomes QEMU, beside this program.
const guardProgram = "ambit-guard"

// proofFile, among the images, keeps whether KVM is usable here.
const proofFile = "kvm.json"

// machineRow is the row of the microVM tier with one accelerator.
func (a *app) machineRow(name string, with machine.Accel) tierRow {
	return tierRow{name: name, kernel: true, named: with == machine.TCG,
		lacking: func() error {
			t, err := a.machines(with)
			if err != nil {
				return err
			}
			for _, c := range t.Driver.Probe(a.ctx()) {
				if !c.Holds {
					return fmt.Errorf("%s; --tier %s runs the same machine emulated, which is no isolation by hardware", c.Why, enforce.TierEmulated)
				}
			}
			return nil
		},
		make: func(asker enforce.Asker, n enforce.Networker) enforce.Tier {
			t, _ := a.machines(with) // lacking has found it
			t.Asker, t.Networker = asker, n
			return t
		},
	}
}

// machines finds what machines are made of and run by.
func (a *app) machines(with machine.Accel) (microvm.Tier, error) {
	none := microvm.Tier{}
	driver, err := a.driver(with)
	if err != nil {
		return none, err
	}
	store, err := a.images()
	if err != nil {
		return none, err
	}
	img, err := image.Default(store)
	if with == machine.KVM && errors.Is(err, image.ErrNone) {
		// Why KVM cannot be had is said first: an image does not help where it cannot.
		for _, c := range driver.Probe(a.ctx()) {
			if !c.Holds {
				return none, errors.New(c.Why)
			}
		}
	}
	if err != nil {
		return none, err
	}
	driver.Proof = filepath.Join(store, proofFile)
	driver.Trial = microvm.Tier{Image: img}.Shape("trial", microvm.DefaultMemory)
	return microvm.Tier{Image: img, Driver: driver, Say: func(what string) {
		if !a.json {
			printf(a.err, "ambit: %s\n", what)
		}
	}}, nil
}

// driver is QEMU in the process tier's jail.
func (a *app) driver(with machine.Accel) (qemu.Driver, error) {
	guard, err := start.Path(guardProgram)
	if err != nil {
		return qemu.Driver{}, err
	}
	if _, err := os.Stat(guard); err != nil {
		return qemu.Driver{}, fmt.Errorf("there is no %s; `make build` makes it, and it is installed beside ambit", guard)
	}
	program, err := qemu.Find()
	if err != nil {
		return qemu.Driver{}, err
	}
	w := who()
	f := bounds(hostFacts(w), enforce.Limits{Memory: 1}) // by which QEMU's memory could be bound
	return qemu.Driver{Program: program, With: with, TSC: qemu.DefaultTSC, Ready: channel.AwaitReady,
		Jail: qemu.Confined{Tier: process.Tier{}, Facts: f, Guard: guard}}, nil
}

// ctx is for what no flag and no signal ends: each has a deadline of its own.
func (a *app) ctx() context.Context { return context.Background() }

// machineFindings say what of machines there is here. No machine is started for
// that, but where the proof of KVM takes one.
func (a *app) machineFindings() []probe.Finding {
	kvm := probe.Finding{Layer: "microVM tier, by KVM", State: probe.Holds, Detail: "a machine booted with it"}
	if err := a.machineRow(enforce.TierMicroVM, machine.KVM).lacking(); err != nil {
		kvm.State, kvm.Detail = probe.Absent, err.Error()
	}
	emulated := probe.Finding{Layer: "microVM tier, emulated", State: probe.Weaker,
		Detail: "there is an image; an emulated machine is no isolation by hardware, and only --tier " + enforce.TierEmulated + " takes one"}
	if err := a.machineRow(enforce.TierEmulated, machine.TCG).lacking(); err != nil {
		emulated.State, emulated.Detail = probe.Absent, err.Error()
		if errors.Is(err, image.ErrNone) {
			emulated.Fix = "ambit image build"
		}
	}
	found := []probe.Finding{kvm, emulated}
	for _, with := range []machine.Accel{machine.HVF, machine.WHPX} {
		for _, c := range (qemu.Driver{With: with}).Probe(a.ctx()) {
			found = append(found, probe.Finding{Layer: "microVM tier, by " + string(with), State: probe.Absent, Detail: "untested: " + c.Why})
		}
	}
	return found
}
