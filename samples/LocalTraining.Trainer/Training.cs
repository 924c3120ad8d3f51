using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace LocalTraining.Trainer;

/// <summary>The training loop of one rank.</summary>
internal sealed class Training(Arguments arguments, Contract contract, Ring ring, SaveRequest request)
{
    private readonly Checkpoints _checkpoints = new(arguments.Checkpoints);
    private readonly Rehearsal _rehearsal = new(arguments.Faults, contract.Rank);

    /// <summary>The step that this attempt began after.</summary>
    public int Resumed { get; private set; }

    public void Run()
    {
        if (arguments.Batch < contract.Size) throw new ArgumentException($"--batch {arguments.Batch} is less than one sample for each of {contract.Size} ranks");
        var corpus = Corpus.Read(arguments.Text, arguments.Context);
        var model = new CharModel(corpus.Symbols, arguments.Context, arguments.Hidden, arguments.Seed);
        var momentum = new float[model.Weights.Length];
        var step = Resumed = Resume(model, momentum);
        var samples = arguments.Batch / contract.Size * contract.Size;
        var rate = arguments.Rate / samples;
        // Behind the gradient: the loss, and how many ranks have been asked to save.
        var sums = new float[model.Weights.Length + 2];
        while (step < arguments.Steps)
        {
            _rehearsal.Begin(step + 1);
            var own = Work(corpus, model, step, sums);
            sums[^1] = request.IsAsked ? 1 : 0;
            ring.AllReduce(sums);
            for (var i = 0; i < momentum.Length; i++)
            {
                momentum[i] = (0.9f * momentum[i]) + sums[i];
                model.Weights[i] -= rate * momentum[i];
            }

            step++;
            _rehearsal.End(step);
            // The same sum on every rank: all stop after the same step, whoever was asked first.
            var save = sums[^1] > 0;
            if (contract.Rank == 0) Record(step, sums[^2] / samples);
            contract.Say(string.Create(CultureInfo.InvariantCulture, $"step {step} {own.TotalSeconds:0.######}"));
            if (contract.Rank == 0 && (save || step % arguments.CheckpointEvery == 0 || step == arguments.Steps)) Save(step, model, momentum);
            if (save && step < arguments.Steps) Pause(step);
        }

        Finish(model);
    }

    /// <summary>This rank's share of the step, up to the first collective; returns how long that took.</summary>
    private TimeSpan Work(Corpus corpus, CharModel model, int step, float[] sums)
    {
        var start = Stopwatch.GetTimestamp();
        var share = arguments.Batch / contract.Size;
        Array.Clear(sums);
        for (var i = 0; i < share; i++)
        {
            var at = corpus.Sample(arguments.Seed, step, (contract.Rank * share) + i, arguments.Context);
            sums[^2] += model.Accumulate(corpus.Text, at, sums);
        }

        if (arguments.StepDelay > 0) Thread.Sleep(arguments.StepDelay);
        if (_rehearsal.IsSlow(step + 1)) Thread.Sleep(Stopwatch.GetElapsedTime(start));
        return Stopwatch.GetElapsedTime(start);
    }

    /// <summary>All ranks go on from the same step: the last one of which everyone has a whole checkpoint.</summary>
    private int Resume(CharModel model, float[] momentum)
    {
        var mine = _checkpoints.Load(model.Weights, momentum, Console.Error.WriteLine);
        while (true)
        {
            var least = (int)ring.Gather(mine).Min();
            if (mine > least)
            {
                mine = _checkpoints.Load(model.Weights, momentum, Console.Error.WriteLine, most: least);
                if (mine == 0)
                {
                    model.Reset(arguments.Seed);
                    Array.Clear(momentum);
                }
            }

            // Nobody leaves before all have the same; each round goes back at least one checkpoint or is the last.
            if (ring.Gather(mine).All(step => step == least)) return least;
        }
    }

    private void Record(int step, float loss) => File.AppendAllText(
        Path.Combine(arguments.Checkpoints, "loss.csv"),
        string.Create(CultureInfo.InvariantCulture, $"{step},{loss:R},{contract.Attempt},{DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()}\n"));

    private void Save(int step, CharModel model, float[] momentum)
    {
        _checkpoints.Save(step, model.Weights, momentum);
        contract.Say(Saved(step));
    }

    /// <summary>
    /// Whoever is asked to save is about to be ended: a step that is begun now would be lost. Each rank answers once it has been asked itself,
    /// since what it says before that is no answer. If nobody comes, all go on; whoever is first waits for the others in the next step.
    /// </summary>
    private void Pause(int step)
    {
        ring.Gather(step); // Rank 0 comes here with the checkpoint on disk.
        if (request.Wait(arguments.SavePause))
        {
            contract.Say(Saved(step));
            Thread.Sleep(arguments.SavePause);
        }

        request.Clear();
    }

    private static string Saved(int step) => string.Create(CultureInfo.InvariantCulture, $"checkpoint {step}");

    private void Finish(CharModel model)
    {
        var bytes = MemoryMarshal.AsBytes(model.Weights.AsSpan());
        var hash = BitConverter.ToInt64(SHA256.HashData(bytes));
        if (ring.Gather(hash).Any(h => h != hash)) throw new InvalidDataException("the ranks ended with different weights");
        if (contract.Rank != 0) return;
        var path = Path.Combine(arguments.Checkpoints, "final.bin");
        File.WriteAllBytes(path + ".tmp", bytes.ToArray());
        File.Move(path + ".tmp", path, overwrite: true);
    }
}
