using TrainingSupervisor.Engine;
using TrainingSupervisor.Engine.Learning;

namespace TrainingSupervisor.Core.Tests.Learning;

/// <summary>A long job: attempts of some hours, each with a slow start, saved and evaluated now and then, some with a straggler, some ended by a hang.</summary>
internal sealed class MonthOfTraining
{
    private static readonly StragglerDetection Options = new();
    private readonly NoisyGang _noise;
    private readonly ProgressDriver _gang = new(Specs.Gang(2).Build());
    private readonly (long Step, double Own)[] _samples;
    private readonly List<double> _gaps = [];
    private RolePace _pace;
    private long _step;

    public MonthOfTraining(ulong seed, int workers, double seconds)
    {
        _noise = new NoisyGang(seed, workers, seconds);
        _samples = new (long, double)[workers];
        _pace = RolePace.Start(workers);
    }

    public int Steps { get; private set; }
    public int Attempts { get; private set; }
    public int Pauses { get; private set; }
    public int FalseHangs { get; private set; }
    public List<string> FalseHangWords { get; } = [];
    public int FalseStragglers { get; private set; }
    public int StragglersMissed { get; private set; }

    /// <summary>After how many steps each was found.</summary>
    public List<int> StragglersFound { get; } = [];

    /// <summary>How long after the last step each hang was reported, in seconds, and the limit of the issue for it.</summary>
    public List<(double After, double Limit)> HangsFound { get; } = [];
    public int HangsLate => HangsFound.Count(h => h.After > h.Limit);

    public void Run(TimeSpan time)
    {
        var end = _gang.Now + time;
        while (_gang.Now < end)
        {
            Attempt();
            Attempts++;
            _gang.NextAttempt();
            _noise.Straggler = -1;
            _pace = RolePace.Start(_samples.Length);
        }
    }

    public override string ToString() =>
        $"{Steps} steps in {Attempts} attempts with {Pauses} announced pauses: {FalseHangs} false hangs, {FalseStragglers} false stragglers; "
        + $"{StragglersFound.Count} stragglers found after {StragglersFound.Min()} to {StragglersFound.Max()} steps, {StragglersMissed} missed; "
        + $"{HangsFound.Count} hangs reported, {HangsLate} late, after {HangsFound.Min(h => h.After):0} to {HangsFound.Max(h => h.After):0} s "
        + string.Join(' ', HangsFound.Where(h => h.After > h.Limit)) + "\n" + string.Join('\n', FalseHangWords);

    private void Attempt()
    {
        _step -= _noise.Below(100) < 90 ? Math.Min(_step, _noise.Below(200)) : 0;
        var steps = 100 + (int)_noise.Exponential(600);
        var slowFrom = _noise.Uniform() < 0.7 ? 40 + _noise.Below(Math.Max(1, steps - 95)) : int.MaxValue;
        for (var done = 0; done < steps; done++)
        {
            if (done == slowFrom) _noise.Straggler = _noise.Below(_samples.Length);
            // It compiles, loads and skips what was read before; the next two fill caches.
            var extra = done == 0 ? _noise.LogNormal(240, 0.4) : done < 3 ? _noise.LogNormal(20, 0.3) : 0;
            if (!Step(extra, done)) return;
            Straggle(done - slowFrom);
            if (done % 150 == 149 && !Pause("checkpoint", _noise.LogNormal(70, 0.35))) return;
            if (done % 700 == 699 && !Pause("evaluate", _noise.LogNormal(600, 0.25))) return;
        }

        if (slowFrom < steps - 49 && !_found) StragglersMissed++;
        _found = false;
        if (_noise.Uniform() < 0.5) Hang();
    }

    private bool _found;

    private bool Step(double extra, int done)
    {
        _step++;
        Steps++;
        var before = _frontierAt;
        var ends = _gang.Now.AddSeconds(_noise.Step() + extra);
        // A report takes some 50 ms, and once in a while up to 10 s because something between is busy; the first of a thousand is fast.
        var late = _noise.Uniform() < 0.0005 ? 10 * _noise.Uniform() : 0;
        _frontierAt = ends.AddSeconds(0.005 + late);
        if (!Tell(_frontierAt, _gang.Say(0, _step))) return false;
        if (done >= 3 && before != default) _gaps.Add((_frontierAt - before).TotalSeconds);
        return Tell(_frontierAt.AddSeconds(0.2 + _noise.Exponential(0.05)), _gang.Say(1, _step));
    }

    private DateTimeOffset _frontierAt;

    private bool Pause(string phase, double seconds)
    {
        Pauses++;
        _frontierAt = default;
        return Tell(_gang.Now.AddSeconds(0.05), _gang.Say(0, _step, phase))
            && Tell(_gang.Now.AddSeconds(0.2), _gang.Say(1, _step, phase))
            && Tell(_gang.Now.AddSeconds(seconds), _gang.Say(1, _step, "train"))
            && Tell(_gang.Now.AddSeconds(0.5 + _noise.Exponential(1)), _gang.Say(0, _step, "train"));
    }

    private bool Tell(DateTimeOffset at, GangInput input)
    {
        _gang.At(at, input);
        if (_gang.Found.Count == 0) return true;
        FalseHangs++;
        FalseHangWords.Add($"{_gang.State.Progress.Roles["trainer"].Times.Count} known: {_gang.Found[0].Failure.Evidence}");
        _gang.Found.Clear();
        return false;
    }

    private void Hang()
    {
        // The last step's last report, or the end of the pause after it.
        var last = _gang.Now;
        _gang.After(3600);
        var after = _gang.Found.Count == 0 ? double.PositiveInfinity : (_gang.Found[0].At - last).TotalSeconds;
        // What the detector may know of: at least its young generation, at most both.
        var limit = _gaps.Count < 4096 ? 6 * _gaps.Max()
            : Enumerable.Range(0, 65).Max(i => 3 * StepTimesTests.Exact(_gaps.TakeLast(4096 + (64 * i))));
        HangsFound.Add((after, Math.Max(15, limit)));
        _gang.Found.Clear();
    }

    private void Straggle(int since)
    {
        for (var i = 0; i < _samples.Length; i++) _samples[i] = (_step, _noise.Own[i]);
        var (next, found) = _pace.Judge(_samples, _step, _gang.Now, Options);
        _pace = next;
        foreach (var straggler in found)
        {
            if (straggler.Index != _noise.Straggler)
            {
                FalseStragglers++;
                continue;
            }

            _found = true;
            StragglersFound.Add(since + 1);
        }
    }
}
