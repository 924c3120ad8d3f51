using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace LocalTraining.Trainer;

/// <summary>The training loop of one rank.</summary>
internal sealed class Training(Arguments arguments, Contract contract, Ring ring)
{
    private readonly Checkpoints _checkpoints = new(arguments.Checkpoints);
    private readonly Rehearsal _rehearsal = new(arguments.Faults, contract.Rank);
    private volatile bool _saveAsked;

    /// <summary>The step that this attempt began after.</summary>
    public int Resumed { get; private set; }

    public void AskForCheckpoint() => _saveAsked = true;

    public void Run()
    {
        if (arguments.Batch < contract.Size) throw new ArgumentException($"--batch {arguments.Batch} is less than one sample for each of {contract.Size} ranks");
        var corpus = Corpus.Read(arguments.Text, arguments.Context);
        var model = new CharModel(corpus.Symbols, arguments.Context, arguments.Hidden, arguments.Seed);
        var momentum = new float[model.Weights.Length];
        var step = Resumed = Resume(model, momentum);
        var share = arguments.Batch / contract.Size;
        var sums = new float[model.Weights.Length + 1];
        while (step < arguments.Steps)
        {
            _rehearsal.Begin(step + 1);
            Array.Clear(sums);
            for (var i = 0; i < share; i++)
            {
                var at = corpus.Sample(arguments.Seed, step, (contract.Rank * share) + i, arguments.Context);
                sums[^1] += model.Accumulate(corpus.Text, at, sums);
            }

            ring.AllReduce(sums);
            var rate = arguments.Rate / (share * contract.Size);
            for (var i = 0; i < momentum.Length; i++)
            {
                momentum[i] = (0.9f * momentum[i]) + sums[i];
                model.Weights[i] -= rate * momentum[i];
            }

            step++;
            _rehearsal.End(step);
            contract.Say(string.Create(CultureInfo.InvariantCulture, $"step {step}"));
            if (contract.Rank == 0) Record(step, sums[^1] / (share * contract.Size), model, momentum);
            if (arguments.StepDelay > 0) Thread.Sleep(arguments.StepDelay);
        }

        Finish(model);
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

    private void Record(int step, float loss, CharModel model, float[] momentum)
    {
        File.AppendAllText(
            Path.Combine(arguments.Checkpoints, "loss.csv"),
            string.Create(CultureInfo.InvariantCulture, $"{step},{loss:R},{contract.Attempt},{DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()}\n"));
        if (step % arguments.CheckpointEvery != 0 && step != arguments.Steps && !_saveAsked) return;
        _saveAsked = false;
        _checkpoints.Save(step, model.Weights, momentum);
        contract.Say(string.Create(CultureInfo.InvariantCulture, $"checkpoint {step}"));
    }

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
