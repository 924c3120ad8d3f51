using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;
using Xunit.Abstractions;

namespace TrainingSupervisor.Core.Tests.Learning;

/// <summary>
/// Days of eight cells that train beside each other, each at its own pace and with the noise of a thousand workers: announced checkpoints,
/// restarts of one cell with slow starts, pauses of all, streams that are away, a supervisor that stands still, a cell that is three times as slow, and hangs.
/// </summary>
public sealed class CellNoiseTests(ITestOutputHelper output)
{
    private const int Cells = 8, Size = 2;
    private static readonly TimeSpan Long = TimeSpan.FromDays(4);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void DaysOfEightCells_Noise_NoFalseHangAndEveryHangIsFound(ulong seed)
    {
        var run = new Run(seed);
        run.For(Long);
        output.WriteLine($"{run.Steps} steps, {run.Restarts} restarts, {run.Phases} phases, {run.Pauses} pauses, {run.Stalls} stalls, {run.Blips} blips; "
            + $"hangs found after {string.Join(' ', run.Delays.Select(d => $"{d:0}"))} s; false: {string.Join("; ", run.False)}");
        Assert.Empty(run.False);
        Assert.InRange(run.Steps, 100_000, 400_000);
        Assert.InRange(run.Restarts, 30, 1000);
        Assert.InRange(run.Phases, 200, 2000);
        Assert.InRange(run.Pauses, 10, 100);
        Assert.InRange(run.Stalls, 10, 100);
        Assert.InRange(run.Blips, 50, 1000);
        Assert.InRange(run.Delays.Count, 20, 200);
        // Steps take some 15 s, and one in fifty five times as long.
        Assert.InRange(run.Delays.Order().ElementAt(run.Delays.Count / 2), 100, 400);
        // The longest are those in the first steps of an attempt.
        Assert.All(run.Delays, d => Assert.InRange(d, 100, 3600));
    }

    private sealed class Run
    {
        private readonly ProgressDriver _gang = new(Gang.Create("llm")
            .AddRole("trainer", r => r.WithCount(Cells * Size).WithCells(Size).WithImage("train:1").WithCommand("train").WithAgentInImage("/agent"))
            .WithPolicy(p => p.On(FailureKind.Hang, RecoveryStrategy.Ignore)).WithoutStragglerDetection().Build());
        private readonly NoisyGang[] _noise;
        private readonly NoisyGang _dice;
        private readonly CellState[] _cells = [.. Enumerable.Range(0, Cells).Select(_ => new CellState())];
        private readonly Dictionary<int, DateTimeOffset> _awayUntil = [];

        public Run(ulong seed)
        {
            _dice = new NoisyGang(seed + 100, 1, 1);
            _noise = [.. Enumerable.Range(0, Cells).Select(i => new NoisyGang((seed * 50) + (ulong)i, 1000, i == 3 ? 45 : 15))];
            for (var i = 0; i < Cells; i++) _cells[i].Next = _gang.Now.AddSeconds(_dice.LogNormal(150, 0.4));
        }

        public int Steps { get; private set; }
        public int Restarts { get; private set; }
        public int Phases { get; private set; }
        public int Pauses { get; private set; }
        public int Stalls { get; private set; }
        public int Blips { get; private set; }
        public List<double> Delays { get; } = [];
        public List<string> False { get; } = [];

        public void For(TimeSpan time)
        {
            var end = _gang.Now + time;
            while (_gang.Now < end)
            {
                var cell = Enumerable.Range(0, Cells).MinBy(i => _cells[i].Next);
                Return(_cells[cell].Next);
                _gang.At(_cells[cell].Next);
                Act(cell);
                _gang.At(_gang.Now, Says(cell, _gang.Now));
                if (_dice.Below(5000) == 0) Pause();
                if (_dice.Below(5000) == 0) Stall();
                if (_dice.Below(1000) == 0) Blip(_dice.Below(Cells * Size));
                Check();
            }
        }

        /// <summary>What this cell does at this moment, and when it does the next thing.</summary>
        private void Act(int index)
        {
            var cell = _cells[index];
            var at = cell.Next;
            if (cell.HungAt is not null)
            {
                cell.Next = at.AddHours(1);
                return;
            }

            if (cell.Phase.Length > 0)
            {
                cell.Phase = "";
                cell.Next = at.AddSeconds(_noise[index].Step());
                return;
            }

            cell.Step++;
            Steps++;
            cell.Done++;
            cell.Next = at.AddSeconds(_noise[index].Step() + (cell.Done < 3 ? _dice.LogNormal(60, 0.4) : 0));
            switch (_dice.Below(4000))
            {
                case < 10:
                    cell.Phase = "checkpoint";
                    cell.Next = at.AddSeconds(_dice.LogNormal(60, 0.3));
                    Phases++;
                    break;
                case 10:
                    cell.HungAt = at;
                    cell.Next = at.AddHours(1);
                    break;
                case 11 or 12:
                    cell.Restarts = true;
                    break;
                default:
                    break;
            }
        }

        private GangInput[] Says(int index, DateTimeOffset now)
        {
            if (_cells[index].Restarts) Restart(index);
            return _cells[index].Done == 0 ? [] : [.. Ranks(index).Where(r => !_awayUntil.ContainsKey(r)).Select(r => _gang.Say(r, _cells[index].Step, _cells[index].Phase))];
        }

        private void Restart(int index)
        {
            Restarts++;
            foreach (var rank in Ranks(index)) Back(rank);
            _gang.NextAttempt([.. Ranks(index)]);
            _cells[index] = new CellState { Step = Math.Max(0, _cells[index].Step - 50), Next = _gang.Now.AddSeconds(_dice.LogNormal(150, 0.4)) };
        }

        private void Pause()
        {
            Pauses++;
            var seconds = 5 + (40 * _dice.Uniform());
            foreach (var cell in _cells) cell.Next = cell.Next.AddSeconds(seconds);
        }

        /// <summary>We do not run, and then read of some of the cells before we read of the others.</summary>
        private void Stall()
        {
            Stalls++;
            // Both together are the loss of an agent.
            foreach (var rank in _awayUntil.Keys.ToList()) Back(rank);
            var until = _gang.Now.AddSeconds(5 + (600 * _dice.Uniform()));
            for (var i = 0; i < Cells; i++)
            {
                while (_cells[i].Next < until && !_cells[i].Restarts) Act(i);
                if (_cells[i].Restarts) _cells[i].Next = until.AddSeconds(2);
            }

            var first = _dice.Below(Cells);
            GangInput[] Of(IEnumerable<int> cells) => [.. cells.Where(c => !_cells[c].Restarts).SelectMany(c => Says(c, until))];
            _gang.StandStill(until - _gang.Now, Of(Enumerable.Range(0, first)));
            _gang.After(0.6, Of(Enumerable.Range(first, Cells - first)));
        }

        private void Blip(int rank)
        {
            if (_awayUntil.ContainsKey(rank)) return;
            Blips++;
            var pod = _gang.Pod(rank);
            _gang.After(0, new AgentGone(pod.Name, pod.Uid!, pod.Agent!.Instance, _gang.Now));
            _awayUntil[rank] = _gang.Now.AddSeconds(1 + (25 * _dice.Uniform()));
        }

        private void Return(DateTimeOffset next)
        {
            foreach (var rank in _awayUntil.Where(a => a.Value < next).OrderBy(a => a.Value).Select(a => a.Key).ToList())
            {
                if (_awayUntil[rank] > _gang.Now) _gang.At(_awayUntil[rank]);
                Back(rank);
            }
        }

        private void Back(int rank)
        {
            if (!_awayUntil.Remove(rank)) return;
            var pod = _gang.Pod(rank);
            var cell = _cells[rank / Size];
            _gang.After(0, new AgentSeen(pod.Name, pod.Uid!, pod.Role, pod.Address, pod.Node!, pod.Agent!));
            if (cell is { Done: > 0, Restarts: false }) _gang.After(0, _gang.Say(rank, cell.Step, cell.Phase));
        }

        private void Check()
        {
            foreach (var (at, failure) in _gang.Found)
            {
                var index = failure.Worker is { } worker ? worker.Index / Size : -1;
                if (failure.Kind != FailureKind.Hang || index < 0 || _cells[index].HungAt is not { } hung) False.Add($"at {at:dd HH:mm:ss} {failure}");
                else Delays.Add((at - hung).TotalSeconds);
            }

            var found = _gang.Found.Select(f => f.Failure.Worker).OfType<WorkerId>().Select(w => w.Index / Size).Distinct().ToList();
            _gang.Found.Clear();
            if (found.Count == 0) return;
            _gang.After(0.2);
            foreach (var index in found) Restart(index);
        }

        private static IEnumerable<int> Ranks(int cell) => Enumerable.Range(cell * Size, Size);

        private sealed class CellState
        {
            public DateTimeOffset Next { get; set; }
            public long Step { get; set; }
            public string Phase { get; set; } = "";
            public int Done { get; set; }
            public DateTimeOffset? HungAt { get; set; }
            public bool Restarts { get; set; }
        }
    }
}
