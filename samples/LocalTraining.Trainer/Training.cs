using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace LocalTraining.Trainer;

/// <summary>The training loop of one rank.</summary>
internal sealed class Training(Arguments arguments, Contract contract, Ring ring)
{
    private volatile bool _saveAsked;

    public void AskForCheckpoint() => _saveAsked = true;

    public void Run()
    {
        var corpus = new Corpus(arguments.Text);
        var model = new CharModel(corpus.Symbols, arguments.Context, arguments.Hidden, arguments.Seed);
        var momentum = new float[model.Weights.Length];
        var checkpoints = new Checkpoints(arguments.Checkpoints);
        var step = checkpoints.Newest(model.Weights, momentum, Console.Error.WriteLine);
        var all = ring.Gather(step);
        if (all.Any(s => s != step)) throw new InvalidOperationException($"ranks disagree on the checkpoint: {string.Join(", ", all)}");

        var share = arguments.Batch / contract.Size;
        var sums = new float[model.Weights.Length + 1];
        while (step < arguments.Steps)
        {
            Misbehave(step);
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
            contract.Say(string.Create(CultureInfo.InvariantCulture, $"step {step}"));
            if (contract.Rank == 0) Record(step, sums[^1] / (share * contract.Size), model, momentum, checkpoints);
            if (arguments.StepDelay > 0) Thread.Sleep(arguments.StepDelay);
        }

        Finish(model);
    }

    private void Record(int step, float loss, CharModel model, float[] momentum, Checkpoints checkpoints)
    {
        File.AppendAllText(
            Path.Combine(arguments.Checkpoints, "loss.csv"),
            string.Create(CultureInfo.InvariantCulture, $"{step},{loss:R},{contract.Attempt},{DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()}\n"));
        if (step % arguments.CheckpointEvery != 0 && step != arguments.Steps && !_saveAsked) return;
        _saveAsked = false;
        checkpoints.Save(step, model.Weights, momentum);
        contract.Say(string.Create(CultureInfo.InvariantCulture, $"checkpoint {step}"));
    }

    private void Finish(CharModel model)
    {
        var bytes = MemoryMarshal.AsBytes(model.Weights.AsSpan());
        var hash = BitConverter.ToInt64(SHA256.HashData(bytes));
        if (ring.Gather(hash).Any(h => h != hash)) throw new InvalidOperationException("the ranks ended with different weights");
        if (contract.Rank != 0) return;
        File.WriteAllBytes(Path.Combine(arguments.Checkpoints, "final.bin"), bytes.ToArray());
        File.WriteAllText(Path.Combine(arguments.Checkpoints, "final.sha256"), Convert.ToHexStringLower(SHA256.HashData(bytes)) + "\n");
    }

    /// <summary>
    /// For rehearsals: a file in the faults directory makes this rank fail or hang, once; a file <c>hold</c> keeps all from their last step.
    /// </summary>
    private void Misbehave(int step)
    {
        if (arguments.Faults is null) return;
        if (Taken("fail")) throw new InvalidDataException("bad sample in shard " + contract.Rank);
        if (Taken("hang")) Thread.Sleep(Timeout.Infinite);

        while (step == arguments.Steps - 1 && File.Exists(Path.Combine(arguments.Faults, "hold")))
        {
            Thread.Sleep(20);
            if (Taken("fail")) throw new InvalidDataException("bad sample in shard " + contract.Rank);
        }

        bool Taken(string fault)
        {
            var path = Path.Combine(arguments.Faults, $"{fault}-{contract.Rank}");
            if (!File.Exists(path)) return false;
            File.Delete(path);
            return true;
        }
    }
}
