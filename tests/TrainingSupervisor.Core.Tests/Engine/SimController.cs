using TrainingSupervisor.Engine;

namespace TrainingSupervisor.Core.Tests.Engine;

internal enum ControllerKind
{
    /// <summary>An Indexed Job: a new Pod, of a new name, as soon as one fails or is being deleted. What has failed stays to be looked at.</summary>
    Job,

    /// <summary>The same without a label for the index.</summary>
    Unnumbered,

    /// <summary>Pods keep their names: a new one comes when the old object has gone.</summary>
    SameName,
}

/// <summary>Creates the Pods of an adopted gang, and others for those that are lost; in virtual time.</summary>
internal sealed class SimController
{
    private readonly World _world;
    private readonly ControllerKind _kind;
    private readonly SimSlot[] _slots;
    private int _serial;

    public SimController(World world, ControllerKind kind, int count)
    {
        _world = world;
        _kind = kind;
        _slots = [.. Enumerable.Range(0, count).Select(i => new SimSlot(i))];
        Look();
    }

    public int Created => _serial;

    /// <summary>Stands still, as a controller does while it backs off.</summary>
    public bool Paused { get; set => Resume(field = value); }

    public void Look()
    {
        if (Paused) return;
        foreach (var slot in _slots.Where(s => !s.Ordered && !Serves(s.Pod)))
        {
            slot.Ordered = true;
            _world.After(_world.Random.Next(1, 1500), () => Create(slot));
        }
    }

    private void Create(SimSlot slot)
    {
        slot.Ordered = false;
        if (Paused || Serves(slot.Pod)) return;
        var name = _kind == ControllerKind.SameName ? $"llm-{slot.Index}" : $"llm-{slot.Index}-{(_serial * 7919) % 10007:x4}";
        _serial++;
        _world.CreateByOthers(new PodRequest
        {
            Name = name,
            Role = "trainer",
            Worker = _kind == ControllerKind.Unnumbered ? null : new WorkerId("trainer", slot.Index),
        });
        slot.Pod = _world.Pods[name];
    }

    private bool Serves(SimPod? pod) => _kind == ControllerKind.SameName
        ? pod is { Removed: false }
        : pod is { Removed: false, Deleting: false, Ended: false };

    private void Resume(bool paused)
    {
        if (!paused) Look();
    }

    private sealed class SimSlot(int index)
    {
        public int Index { get; } = index;
        public SimPod? Pod { get; set; }
        public bool Ordered { get; set; }
    }
}
