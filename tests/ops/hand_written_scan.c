/* The selective scan by hand, C with AVX-512 intrinsics: a peer for the compiled Python kernels.
 *
 * The algorithm is theirs: 16 channels side by side, tiles of 128 steps turned by shuffles, the
 * backward recomputing a tile from the state stored before it. Leaner in what it takes: float32,
 * contiguous, softplus, bias and D always there, d / g a multiple of 16, l of 4. The benchmark
 * builds it with `gcc -O3 -march=native -shared -fPIC` and calls it on torch's own threads.
 */
#include <immintrin.h>
#include <stdint.h>
#include <stdlib.h>

enum { W = 16, CHUNK = 128, PITCH = CHUNK * W + 5 * W, FOUR = 4 };
typedef __m512 V;
typedef struct {
  V v[FOUR];
} Four;
typedef struct {
  int64_t b, d, l, n, g, blocks;
  const float *u, *delta, *A, *B, *C, *D, *bias;
  float *y, *states;
  const float *dy;
  float *du, *ddelta, *dA, *dB, *dC, *dD, *dbias;
  int (*number)(void), (*size)(void);
} Scan;

#define INLINE static inline __attribute__((always_inline))
#define EACH for (int j = 0; j < FOUR; j++)
#define LOAD _mm512_loadu_ps
#define STORE _mm512_storeu_ps
#define FMA _mm512_fmadd_ps
#define MUL _mm512_mul_ps
#define ADD _mm512_add_ps
#define SET _mm512_set1_ps

static const float EXP2[] = {1.32647269e-3f, 9.67151266e-3f, 5.55073374e-2f,
                             0.240222421f,   0.693146978f,   1.0f};
static const float LOG1P[] = {5.36481839e-3f, -3.00657686e-2f, 7.92044971e-2f,
                              -0.137537991f,  0.191536534f,    -0.248571633f,
                              0.333213226f,   -0.49999648f,    1.0f};
#define LOG2E 1.44269504f

INLINE Four exp2_four(Four t, int bounded) {
  Four r, p;
  if (!bounded) EACH t.v[j] = _mm512_min_ps(SET(128), t.v[j]);
  EACH t.v[j] = _mm512_max_ps(SET(-127), t.v[j]);
  EACH r.v[j] = _mm512_roundscale_ps(t.v[j], _MM_FROUND_TO_NEAREST_INT);
  EACH t.v[j] = _mm512_sub_ps(t.v[j], r.v[j]);
  EACH p.v[j] = SET(EXP2[0]);
  for (int i = 1; i < 6; i++) EACH p.v[j] = FMA(p.v[j], t.v[j], SET(EXP2[i]));
  EACH p.v[j] = _mm512_scalef_ps(p.v[j], r.v[j]);
  return p;
}

INLINE Four decay_four(Four x) {
  EACH x.v[j] = MUL(_mm512_abs_ps(x.v[j]), SET(-LOG2E));
  return exp2_four(x, 1);
}

INLINE Four softplus_four(Four x, Four e) {
  Four p;
  EACH p.v[j] = SET(LOG1P[0]);
  for (int i = 1; i < 9; i++) EACH p.v[j] = FMA(p.v[j], e.v[j], SET(LOG1P[i]));
  EACH p.v[j] = FMA(p.v[j], e.v[j], _mm512_max_ps(SET(0), x.v[j]));
  return p;
}

/* out[j * to + i] = in[i * from + j]; loads and stores keep to the mask. */
INLINE void turn(const float *in, int64_t from, __mmask16 read, float *out, int64_t to,
                 __mmask16 write, int columns) {
  V a[W], t[W];
  for (int i = 0; i < W; i++) a[i] = _mm512_maskz_loadu_ps(read, in + i * from);
  for (int i = 0; i < 8; i++) {
    t[2 * i] = _mm512_unpacklo_ps(a[2 * i], a[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_ps(a[2 * i], a[2 * i + 1]);
  }
#define PAIR(op, x, y) \
  _mm512_castpd_ps(_mm512_##op##_pd(_mm512_castps_pd(x), _mm512_castps_pd(y)))
  for (int i = 0; i < W; i += 4) {
    a[i] = PAIR(unpacklo, t[i], t[i + 2]);
    a[i + 1] = PAIR(unpackhi, t[i], t[i + 2]);
    a[i + 2] = PAIR(unpacklo, t[i + 1], t[i + 3]);
    a[i + 3] = PAIR(unpackhi, t[i + 1], t[i + 3]);
  }
  for (int i = 0; i < 4; i++) {
    t[i] = _mm512_shuffle_f32x4(a[i], a[4 + i], 0x88);
    t[4 + i] = _mm512_shuffle_f32x4(a[i], a[4 + i], 0xdd);
    t[8 + i] = _mm512_shuffle_f32x4(a[8 + i], a[12 + i], 0x88);
    t[12 + i] = _mm512_shuffle_f32x4(a[8 + i], a[12 + i], 0xdd);
  }
  for (int i = 0; i < 4; i++) {
    a[i] = _mm512_shuffle_f32x4(t[i], t[8 + i], 0x88);
    a[8 + i] = _mm512_shuffle_f32x4(t[i], t[8 + i], 0xdd);
    a[4 + i] = _mm512_shuffle_f32x4(t[4 + i], t[12 + i], 0x88);
    a[12 + i] = _mm512_shuffle_f32x4(t[4 + i], t[12 + i], 0xdd);
  }
  for (int i = 0; i < W; i++)
    if (i < columns) _mm512_mask_storeu_ps(out + i * to, write, a[i]);
}

static void turn_in(float *tile, const float *in, int64_t pitch, int64_t steps) {
  int64_t t = 0;
  for (; t + W <= steps; t += W) turn(in + t, pitch, 0xffff, tile + t * W, W, 0xffff, W);
  if (t < steps) turn(in + t, pitch, (1 << (steps - t)) - 1, tile + t * W, W, 0xffff, W);
}

static void turn_out(float *out, int64_t pitch, const float *tile, int64_t steps) {
  int64_t t = 0;
  for (; t + W <= steps; t += W) turn(tile + t * W, W, 0xffff, out + t, pitch, 0xffff, W);
  if (t < steps) turn(tile + t * W, W, 0xffff, out + t, pitch, (1 << (steps - t)) - 1, W);
}

INLINE V gather(const float *from, int64_t pitch) {
  float lanes[W];
  for (int c = 0; c < W; c++) lanes[c] = from[c * pitch];
  return LOAD(lanes);
}

/* Where a block of 16 channels lies. */
typedef struct {
  int64_t sample, group, block, channel, fresh;
} Place;

static void each_place(const Scan *s, float *room, void (*work)(const Scan *, float *, Place)) {
  int64_t width = s->d / s->g, units = width / W, share = (units + s->blocks - 1) / s->blocks;
  for (int64_t task = s->number(); task < s->b * s->g * s->blocks; task += s->size()) {
    int64_t block = task % s->blocks, group = task / s->blocks % s->g;
    for (int64_t i = block * share; i < units && i < (block + 1) * share; i++) {
      Place p = {task / s->blocks / s->g, group, block, group * width + i * W, i == block * share};
      work(s, room, p);
    }
  }
}

static void forward_channels(const Scan *s, float *room, Place p) {
  int64_t l = s->l, n = s->n, chunks = (l + CHUNK - 1) / CHUNK, row = p.sample * s->d + p.channel;
  float *w = room, *delta = w + PITCH, *y = delta + PITCH, *h = y + PITCH, *A = h + n * W;
  for (int64_t i = 0; i < n; i++) {
    STORE(A + i * W, MUL(gather(s->A + p.channel * n + i, n), SET(LOG2E)));
    STORE(h + i * W, SET(0));
  }
  V bias = LOAD(s->bias + p.channel), D = LOAD(s->D + p.channel);
  for (int64_t k = 0; k < chunks; k++) {
    int64_t start = k * CHUNK, steps = l - start < CHUNK ? l - start : CHUNK;
    turn_in(w, s->u + row * l + start, l, steps);
    turn_in(delta, s->delta + row * l + start, l, steps);
    for (int64_t t = 0; t < steps * W; t += FOUR * W) {
      Four x, u;
      EACH x.v[j] = ADD(LOAD(delta + t + j * W), bias);
      EACH u.v[j] = LOAD(w + t + j * W);
      x = softplus_four(x, decay_four(x));
      EACH STORE(delta + t + j * W, x.v[j]);
      EACH STORE(w + t + j * W, MUL(x.v[j], u.v[j]));
      EACH STORE(y + t + j * W, MUL(D, u.v[j]));
    }
    for (int64_t i = 0; i < n; i++) {
      int64_t at = ((p.sample * s->g + p.group) * n + i) * l + start;
      const float *B = s->B + at, *C = s->C + at;
      V a = LOAD(A + i * W), now = LOAD(h + i * W);
      for (int64_t t = 0; t < steps; t += FOUR) {
        Four x;
        EACH x.v[j] = MUL(LOAD(delta + (t + j) * W), a);
        x = exp2_four(x, 0);
        EACH {
          now = FMA(x.v[j], now, MUL(LOAD(w + (t + j) * W), SET(B[t + j])));
          STORE(y + (t + j) * W, FMA(now, SET(C[t + j]), LOAD(y + (t + j) * W)));
        }
      }
      STORE(h + i * W, now);
      for (int c = 0; c < W; c++) s->states[((row + c) * chunks + k) * n + i] = h[i * W + c];
    }
    turn_out(s->y + row * l + start, l, y, steps);
  }
}

/* Each step's sum over the channels, onto a row of dB or dC. */
static void sum_channels(float *to, const float *tile, int64_t steps, int64_t fresh) {
  float turned[W * W];
  for (int64_t t = 0; t < steps; t += W) {
    __mmask16 there = steps - t < W ? (1 << (steps - t)) - 1 : 0xffff;
    turn(tile + t * W, W, 0xffff, turned, W, 0xffff, W);
    V sum = fresh ? SET(0) : _mm512_maskz_loadu_ps(there, to + t);
    for (int i = 0; i < W; i++) sum = ADD(sum, LOAD(turned + i * W));
    _mm512_mask_storeu_ps(to + t, there, sum);
  }
}

static void add_lanes(double *sums, V lanes) {
  float each[W];
  STORE(each, lanes);
  for (int c = 0; c < W; c++) sums[c] += each[c];
}

static void backward_channels(const Scan *s, float *room, Place p) {
  int64_t l = s->l, n = s->n, chunks = (l + CHUNK - 1) / CHUNK, row = p.sample * s->d + p.channel;
  float *tile[8], *carry = room + 8 * PITCH;
  for (int i = 0; i < 8; i++) tile[i] = room + i * PITCH;
  float *u = tile[0], *delta = tile[1], *dy = tile[2], *slope = tile[3];
  float *dw = tile[4], *ddelta = tile[5], *ab = tile[6], *pc = tile[7];
  double *sums = (double *)(carry + n * W);
  for (int64_t i = 0; i < n * W; i++) carry[i] = 0;
  for (int64_t i = 0; i < (n + 2) * W; i++) sums[i] = 0;
  V bias = LOAD(s->bias + p.channel), D = LOAD(s->D + p.channel);
  for (int64_t k = chunks - 1; k >= 0; k--) {
    int64_t start = k * CHUNK, steps = l - start < CHUNK ? l - start : CHUNK;
    turn_in(u, s->u + row * l + start, l, steps);
    turn_in(delta, s->delta + row * l + start, l, steps);
    turn_in(dy, s->dy + row * l + start, l, steps);
    for (int64_t t = 0; t < steps * W; t += FOUR * W) {
      Four x, e;
      EACH x.v[j] = ADD(LOAD(delta + t + j * W), bias);
      e = decay_four(x);
      EACH {
        __mmask16 above = _mm512_cmp_ps_mask(x.v[j], SET(0), _CMP_GT_OQ);
        V top = _mm512_mask_blend_ps(above, e.v[j], SET(1));
        STORE(slope + t + j * W, _mm512_div_ps(top, ADD(e.v[j], SET(1))));
      }
      x = softplus_four(x, e);
      EACH STORE(delta + t + j * W, x.v[j]);
      EACH STORE(dw + t + j * W, SET(0));
      EACH STORE(ddelta + t + j * W, SET(0));
    }
    for (int64_t i = 0; i < n; i++) {
      int64_t at = ((p.sample * s->g + p.group) * n + i) * l + start;
      const float *B = s->B + at, *C = s->C + at;
      V A = gather(s->A + p.channel * n + i, n), scaled = MUL(A, SET(LOG2E));
      V h = k ? gather(s->states + (row * chunks + k - 1) * n + i, chunks * n) : SET(0);
      for (int64_t t = 0; t < steps; t += FOUR) {
        Four a;
        EACH a.v[j] = MUL(LOAD(delta + (t + j) * W), scaled);
        a = exp2_four(a, 0);
        EACH {
          STORE(ab + (t + j) * W, a.v[j]);
          STORE(pc + (t + j) * W, MUL(a.v[j], h));
          V w = MUL(LOAD(delta + (t + j) * W), LOAD(u + (t + j) * W));
          h = FMA(a.v[j], h, MUL(w, SET(B[t + j])));
        }
      }
      V dh = LOAD(carry + i * W), a = SET(1), dA = SET(0);
      for (int64_t t = steps - 1; t >= 0; t--) {
        V g = LOAD(dy + t * W), x = LOAD(pc + t * W), q = LOAD(delta + t * W);
        dh = FMA(a, dh, MUL(g, SET(C[t])));
        a = LOAD(ab + t * W);
        V w = MUL(q, LOAD(u + t * W)), dp = MUL(dh, x);
        STORE(ab + t * W, MUL(dh, w));
        STORE(pc + t * W, MUL(g, FMA(w, SET(B[t]), x)));
        STORE(dw + t * W, FMA(dh, SET(B[t]), LOAD(dw + t * W)));
        STORE(ddelta + t * W, FMA(dp, A, LOAD(ddelta + t * W)));
        dA = FMA(dp, q, dA);
      }
      STORE(carry + i * W, MUL(a, dh));
      add_lanes(sums + i * W, dA);
      int64_t mine = p.block * s->b * s->g * n * l + at;
      sum_channels(s->dB + mine, ab, steps, p.fresh);
      sum_channels(s->dC + mine, pc, steps, p.fresh);
    }
    V dD = SET(0), dbias = SET(0);
    for (int64_t t = 0; t < steps * W; t += W) {
      V x = LOAD(u + t), g = LOAD(dy + t), to = LOAD(dw + t);
      V dx = MUL(FMA(x, to, LOAD(ddelta + t)), LOAD(slope + t));
      STORE(dw + t, FMA(to, LOAD(delta + t), MUL(D, g)));
      STORE(ddelta + t, dx);
      dD = FMA(g, x, dD);
      dbias = ADD(dbias, dx);
    }
    add_lanes(sums + n * W, dD);
    add_lanes(sums + (n + 1) * W, dbias);
    turn_out(s->du + row * l + start, l, dw, steps);
    turn_out(s->ddelta + row * l + start, l, ddelta, steps);
  }
  for (int c = 0; c < W; c++) {
    for (int64_t i = 0; i < n; i++) s->dA[(row + c) * n + i] = sums[i * W + c];
    s->dD[row + c] = sums[n * W + c];
    s->dbias[row + c] = sums[(n + 1) * W + c];
  }
}

void forward(const Scan *s) {
  float *room = aligned_alloc(64, sizeof(float) * (3 * PITCH + 2 * s->n * W));
  each_place(s, room, forward_channels);
  free(room);
}

void backward(const Scan *s) {
  float *room = aligned_alloc(64, sizeof(float) * (8 * PITCH + s->n * W + 2 * (s->n + 2) * W));
  each_place(s, room, backward_channels);
  free(room);
}
