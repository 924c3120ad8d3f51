using System.Collections.Immutable;
using System.Text;

namespace TrainingSupervisor.Engine.Learning;

/// <summary>The gang may hang, and agents were asked for evidence.</summary>
/// <param name="Attempt">The attempt.</param>
/// <param name="From">The start of the hang clock that it is about.</param>
/// <param name="Deadline">Until when answers are waited for.</param>
/// <param name="Asked">The id of the command, by Pod.</param>
/// <param name="Answers">What came back, by Pod.</param>
internal sealed record HangSuspicion(
    int Attempt,
    DateTimeOffset From,
    DateTimeOffset Deadline,
    ImmutableSortedDictionary<string, string> Asked,
    ImmutableSortedDictionary<string, string> Answers)
{
    private const int LongestAnswer = 4096;

    public bool Complete => Answers.Count == Asked.Count;

    public HangSuspicion Answer(CommandRan ran)
    {
        if (Asked.GetValueOrDefault(ran.Pod) != ran.Id) return this;
        var how = ran.TimedOut ? "timed out" : ran.ExitCode == 0 ? "ended" : $"ended with code {ran.ExitCode}";
        var output = ran.Output.Length > LongestAnswer ? "..." + ran.Output[^LongestAnswer..] : ran.Output;
        return this with { Answers = Answers.SetItem(ran.Pod, $"{how}\n{output.TrimEnd()}") };
    }

    /// <summary>All answers as one text, by Pod.</summary>
    public string Text(ImmutableArray<string> command)
    {
        var text = new StringBuilder();
        foreach (var pod in Asked.Keys)
        {
            text.Append("== ").Append(pod).Append(": ").AppendJoin(' ', command).Append(' ')
                .Append(Answers.GetValueOrDefault(pod, "did not answer in time")).Append('\n');
        }

        return text.ToString();
    }
}
