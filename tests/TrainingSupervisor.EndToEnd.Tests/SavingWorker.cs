namespace TrainingSupervisor.EndToEnd.Tests;

/// <summary>
/// A worker that answers the gang's quiesce: it finishes the step in flight, saves it, says so, does no other, and waits to be ended. It goes on
/// from the step that it has saved. SIGTERM, which comes when its Pod is being deleted, does not end it. Rank 2 takes a second to save.
/// </summary>
internal sealed class SavingWorker : IDisposable
{
    private const int SlowRank = 2;
    private const string Text = """
        cd "$(dirname "$0")"
        echo $$ > pid-$RANK
        step=$(cat saved-$RANK 2>/dev/null || echo 0)
        trap 'asked=1' USR1
        trap '' TERM
        while [ -z "$asked" ]; do
          sleep 0.05
          step=$((step + 1))
          echo "$GANG_ATTEMPT $step" >> steps-$RANK
          echo "step $step" >> "$GANG_PROGRESS_FILE"
        done
        echo "$RANK" >> asked
        if [ $RANK = $SLOW ]; then
          sleep 1
          for pid in $(cat pid-*); do kill -0 $pid || echo $pid >> ended; done
          echo yes > looked
        fi
        echo $step > saved-$RANK.tmp && mv saved-$RANK.tmp saved-$RANK
        echo "checkpoint $step" >> "$GANG_PROGRESS_FILE"
        while :; do sleep 1; done
        """;

    private readonly string _directory = Directory.CreateTempSubdirectory("gang-e2e-").FullName;

    public SavingWorker() => File.WriteAllText(Script, Text);

    public string[] Command => ["env", $"SLOW={SlowRank}", "sh", Script];

    private string Script => Path.Combine(_directory, "worker.sh");

    /// <summary>The ranks that have been asked to save, in that order.</summary>
    public IReadOnlyList<int> Asked => [.. Lines("asked").Select(l => int.Parse(l, System.Globalization.CultureInfo.InvariantCulture))];

    /// <summary>The slow rank has looked, just before it had saved, whether all of the gang still ran; and they did.</summary>
    public bool AllRanUntilTheSlowestHadSaved => File.Exists(Path.Combine(_directory, "looked")) && !File.Exists(Path.Combine(_directory, "ended"));

    public int LastStep(int rank) => Steps(rank) is [.., var last] ? last.Step : 0;

    /// <summary>Each step that this rank has done, with its attempt.</summary>
    public IReadOnlyList<(int Attempt, int Step)> Steps(int rank) =>
        [.. Lines($"steps-{rank}").Select(l => l.Split(' ')).Where(p => p.Length == 2 && p[1].Length > 0).Select(p => (Number(p[0]), Number(p[1])))];

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private string[] Lines(string file) => File.Exists(Path.Combine(_directory, file)) ? File.ReadAllLines(Path.Combine(_directory, file)) : [];

    private static int Number(string text) => int.Parse(text, System.Globalization.CultureInfo.InvariantCulture);
}
